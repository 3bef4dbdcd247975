package check

import "testing"

// A comment that the open encoder refuses is found where it begins, and nothing within strings and other comments is one.
func TestForeignComment(t *testing.T) {
	for src, want := range map[string][2]int{
		"Main { NetworkAccess 1; }": {}, "": {}, "/": {}, `"`: {},
		"Main { # x\n}":                           {1, 8},
		"# x":                                     {1, 1},
		"/* a */\n\t// b":                         {2, 2},
		"/* # // */ Main { }":                     {},
		"/* a\n * # b\n */ # c\n":                 {3, 5},
		`String "#1 // a"; # b`:                   {1, 19},
		`String "\"#"; `:                          {},
		`String "a\\"; # b`:                       {1, 15},
		"String \"a\n# b\"; // c":                 {2, 7},
		"String \"\u00e9\u00e9\"; /* \u00e9 */ #": {1, 25},
	} {
		line, col := foreignComment(src)
		if [2]int{line, col} != want {
			t.Errorf("%q: %d:%d, want %v", src, line, col, want)
		}
	}
}
