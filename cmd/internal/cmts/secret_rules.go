package cmts

import (
	"errors"
	"fmt"
	"strings"

	"dcs/render/secret"
)

// secretRules says which secrets a make accepts, and how they are written.
type secretRules struct {
	MaxLength  int               `yaml:"max_length"`
	Characters pattern           `yaml:"characters"` // matches one character that may be sent
	Quote      string            `yaml:"quote"`      // written before and after
	Escape     map[string]string `yaml:"escape"`     // a character, and how it is written
}

// check returns why a CMTS with these rules would not accept a secret. The error does not show the secret.
func (r *secretRules) check(secret secret.Text) error {
	text := secret.Reveal()
	switch {
	case text == "":
		return errors.New("empty secret")
	case len(text) > r.MaxLength:
		return fmt.Errorf("secret of %d octets is too long; this CMTS accepts %d", len(text), r.MaxLength)
	}
	for i, c := range text {
		// Control characters would end the line, or edit it.
		if c < ' ' || c == 0x7f || c == '\uFFFD' {
			return fmt.Errorf("secret: character %d is a control character", i+1)
		}
		if one := string(c); r.Escape[one] == "" && (!r.Characters.MatchString(one) || one == r.Quote) {
			return fmt.Errorf("secret: character %d is not accepted by this CMTS (%s)", i+1, kindOf(c))
		}
	}
	return nil
}

// kindOf describes a character without showing it.
func kindOf(c rune) string {
	switch {
	case c == ' ':
		return "a space"
	case c == '"' || c == '\'' || c == '`':
		return "a quotation mark"
	case c > 0x7e:
		return "not ASCII"
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
		return "a letter or digit"
	}
	return "a punctuation mark"
}

// write returns a secret as it is written on the command line.
func (r *secretRules) write(secret secret.Text) string {
	var b strings.Builder
	b.WriteString(r.Quote)
	for _, c := range secret.Reveal() {
		if esc := r.Escape[string(c)]; esc != "" {
			b.WriteString(esc)
		} else {
			b.WriteRune(c)
		}
	}
	b.WriteString(r.Quote)
	return b.String()
}
