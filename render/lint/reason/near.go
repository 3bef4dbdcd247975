package reason

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dcs/render/spelling"
)

// Words lists the states that [Parse] knows, without other spellings.
func Words() []string {
	var out []string
	for _, t := range [][]state{states, keyStates, logStates, mtaStates} {
		for i := range t {
			out = append(out, t[i].Text)
		}
	}
	return out
}

// unknown returns the error for a word that no table has.
func unknown(text string) error {
	if len(text) > 80 {
		text = text[:80] + "…"
	}
	const also = "a confirmation code (0 to 255), an event (I403.0 or 73040300) or BPKM 6"
	name := plain(text)
	limit := len(name)/3 + 1
	far := func(w string) int { return spelling.Distance(name, plain(w), limit) }
	near := slices.DeleteFunc(Words(), func(w string) bool { return len(name) > 40 || far(w) > limit })
	if len(near) > 0 {
		slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(far(a), far(b)) })
		return fmt.Errorf("%q: unknown word; similar ones are %s; there are also %s", text, strings.Join(near[:min(4, len(near))], ", "), also)
	}
	return fmt.Errorf("%q: unknown word; use one of %s, %s", text, strings.Join(Words(), ", "), also)
}
