package cmts

import (
	"encoding/hex"
	"strconv"
	"strings"

	"dcs/render/secret"
)

// holdings is what an interface, or the CMTS, holds.
type holdings struct {
	texts  []secret.Text
	filled int // slots in use
	hidden int // of these, the ones whose text cannot be read
}

// read finds the secrets in what a command has printed.
func (h *holdings) read(r *reading, output, quote string) {
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		if r.Hidden.Regexp != nil {
			if m := r.Hidden.FindStringSubmatch(line); m != nil {
				h.filled++
				if i := r.Hidden.SubexpIndex("type7"); i >= 0 {
					if text, ok := decodeType7(m[i]); ok {
						h.texts = append(h.texts, secret.New(text))
						continue
					}
				}
				h.hidden++
				continue
			}
		}
		if r.Clear.Regexp != nil {
			if m := r.Clear.FindStringSubmatch(line); m != nil {
				h.filled++
				text := m[r.Clear.SubexpIndex(varSecret)]
				if n := len(quote); n > 0 && len(text) >= 2*n && strings.HasPrefix(text, quote) && strings.HasSuffix(text, quote) {
					text = text[n : len(text)-n]
				}
				h.texts = append(h.texts, secret.New(text))
			}
		}
	}
}

// holds returns whether want is among the secrets.
func (h *holdings) holds(want secret.Text) Holding {
	for _, t := range h.texts {
		if want.Equal(t) {
			return Yes
		}
	}
	if h.hidden > 0 {
		return Unknown
	}
	return No
}

// type7 is the key of the reversible encoding that IOS calls type 7.
const type7 = "dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87"

// decodeType7 decodes a text in type 7 encoding. It fails if the result is not printable: the encoding is another then.
func decodeType7(s string) (string, bool) {
	if len(s) < 4 {
		return "", false
	}
	at, err := strconv.Atoi(s[:2])
	if err != nil || at < 0 {
		return "", false
	}
	text, err := hex.DecodeString(s[2:])
	if err != nil {
		return "", false
	}
	for i := range text {
		text[i] ^= type7[(at+i)%len(type7)]
		if text[i] < ' ' || text[i] > '~' {
			return "", false
		}
	}
	return string(text), true
}

// merge merges one interface's Holding into that of the CMTS.
func merge(sum *Holding, first bool, one Holding) {
	switch {
	case first:
		*sum = one
	case *sum == one:
	case one == Unknown || *sum == Unknown:
		*sum = Unknown
	default:
		*sum = Partly
	}
}
