package lint_test

import (
	"io/fs"
	"testing"

	"dcs/render/lint"
	"dcs/render/syntax"
)

// A comment counts for its own line, for the next one if it stands alone, and at an include for what is included.
func TestAllows(t *testing.T) {
	sources := map[string]string{
		"a.dcs": "Main {\n# dcs:allow max-cpe\nMaxCPE 0;\nMaxCPE 0; // dcs:allow sw-pair , max-cpe why\nMaxCPE 0;\n/* dcs:allow max-cpe */ MaxCPE 0;\ninclude b; # dcs:allow sw-pair\n}",
		"b.dcs": "Block b { MaxCPE 0; } # dcs:allow nothing-such",
	}
	a := &lint.Allows{Read: func(path string) ([]byte, error) {
		if src, ok := sources[path]; ok {
			return []byte(src), nil
		}
		return nil, fs.ErrNotExist
	}}
	at := func(file string, line int) syntax.Pos { return syntax.Pos{File: file, Line: line, Col: 1} }
	for _, tt := range []struct {
		rule string
		pos  syntax.Pos
		via  []syntax.Pos
		gone bool
	}{
		{"max-cpe", at("a.dcs", 3), nil, true},
		{"sw-pair", at("a.dcs", 3), nil, false},
		{"max-cpe", at("a.dcs", 4), nil, true},
		{"sw-pair", at("a.dcs", 4), nil, true},
		{"max-cpe", at("a.dcs", 5), nil, false}, // the comment above is beside another statement
		{"max-cpe", at("a.dcs", 6), nil, true},
		{"max-cpe", at("a.dcs", 7), nil, false},
		{"sw-pair", at("b.dcs", 1), []syntax.Pos{at("a.dcs", 7)}, true},
		{"max-cpe", at("b.dcs", 1), []syntax.Pos{at("a.dcs", 8)}, false},
		{"max-cpe", at("absent.dcs", 1), nil, false},
	} {
		if a.Allowed(&lint.Finding{Rule: lint.ByID(tt.rule), Spot: lint.Spot{Place: lint.Place{Pos: tt.pos, Via: tt.via}}}) != tt.gone {
			t.Errorf("%s at %v: allowed is %v", tt.rule, tt.pos, !tt.gone)
		}
	}
	if a.Allowed(&lint.Finding{Rule: lint.ByID("max-cpe"), Spot: lint.Spot{File: "x.cm"}}) {
		t.Error("a binary file has no comments")
	}
	if got := append(a.Unknown("a.dcs"), a.Unknown("b.dcs")...); len(got) != 1 || got[0].Place.Pos != at("b.dcs", 1) {
		t.Errorf("%+v", got)
	}
}
