package syntax

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
)

// Each want is "line:col: " and words of the message; all errors of the source are listed.
func TestErrors(t *testing.T) {
	for _, x := range []struct {
		name, src string
		want      []string
	}{
		{"empty", "", []string{"1:1: empty"}},
		{"empty", " \n", []string{"2:1: empty"}},
		{"comments only", "# x\n/* y */", []string{"2:8: nothing but comments"}},
		{"NUL", "Main {\n A 1;\x00 }", []string{"2:6: NUL octet"}},
		{"UTF-16", "\xff\xfeM\x00", []string{"1:1: UTF-16"}},

		{"no semicolon", "Main { NetworkAccess 1 }", []string{"1:23: NetworkAccess has no ; at its end"}},
		{"no semicolon", "Main {\nA 1\nB 2;\nC 3;\n}", []string{`2:4: A has no ; at its end; add it here, before "B"`}},
		{"no semicolon", "Main {\nA 1\nUsServiceFlow { B 2; }\nC 3;\n}", []string{"2:4: A has no ;"}},
		{"no semicolon", "Main { A 1 UsServiceFlow { B 2; } }", []string{"1:11: A has no ;"}},
		{"no semicolon", "Main {\nA 1\ninclude gold\nselect $x { 1 { B 1\n} }\nreject \"x\"\n}", []string{"2:4: A has", "3:13: include has", "4:20: B has", "6:11: reject has"}},
		{"no semicolon", "Main {\ndefault a 1\ndefault b 2\nhash na\n}", []string{"2:12: default has", "3:12: default has", "4:8: hash has"}},
		{"equals", "Main { A = 1; default b = 2; if $c == 1 { } }", []string{"1:10: settings take no = sign; write A value;", "1:25: default takes no = sign", "1:36: settings take no = sign"}},
		{"colon", "Main { A: 1; B 1; }", []string{"1:8: keywords take no colon; write A value;"}},
		{"no keyword", "Main { 5 6; B 1; }", []string{"1:8: expected a keyword, got the number 5"}},
		{"no keyword", "Main { a.b 6; _c 1; $d 1; \"e\" 1; B 1; }", []string{`1:8: expected a keyword, got "a.b"`, `1:15: expected a keyword`, `1:21: a keyword`, `1:27: a keyword`}},
		{"no keyword", "Main { { A 1; } { { } } }", []string{"1:8: no keyword before this {", "1:17: no keyword before this {"}},
		{"stray", "Main { A 1; }\n}\n", []string{"2:1: unmatched }; delete it, or look for an extra } before it (Main ended at t.dcs:1:13)"}},
		{"stray", "Main { A { B 1; } }\nC 1;\nD { E 1; }\n}\nBlock x { }\n}", []string{`2:1: "C" outside of any item`, "6:1: unmatched }"}},
		{"outside", "NetworkAccess 1", []string{`1:1: "NetworkAccess" outside`}},
		{"no item", "Mian \"a\" { A 1 }\nMain { }", []string{`1:1: "Mian" outside`}},
		{"no item", "Mian {\n A 1 }\nMain { }", []string{"1:1: unknown item Mian", "2:5: A has no ;"}},

		{"open brace", "Main {\n A 1;\n", []string{"3:1: unexpected end of file: the { of Main opened at t.dcs:1:6 is not closed; add a }"}},
		{"open brace", "Main {\n A 1", []string{"2:5: the { of Main"}},
		{"open brace", "Main { A {\n B { C 1; }", []string{"2:12: the { of A opened at t.dcs:1:10 is not closed, nor is the one around it"}},
		{"open brace", "Main { select $a {\n 1 {", []string{"2:5: the { of the case opened at t.dcs:2:4 is not closed, nor are the 2 around it"}},
		{"item in item", "Main \"a\" {\n A { B 1;\nMain \"b\" {\n C 1;\n}\n}\n}\n", []string{"3:1: Main inside of A, whose { was opened at t.dcs:2:4"}},
		{"item in item", "Main { select $a { 1 {\nBlock x { }\n} } }\n}", []string{"2:1: Block inside of the case", "4:1: unmatched }"}},
		{"open comment", "Main {\n A 1; /* B 2; }\n", []string{"2:7: unterminated comment"}},
		{"open comment", "Main /*", []string{"1:6: unterminated comment"}},
		{"comment in comment", "Main { /* /* x */ */ A 1; }", []string{"1:19: unmatched */"}},

		{"open string", "Main {\n A \"x;\n B 1;\n C 1 }", []string{"2:4: no closing quote", "4:5: C has no ;"}},
		{"open string", "Main { A \"x\r\n; B \"y\\\";\n C 1; }", []string{"1:10: no closing quote", `2:5: a backslash at its end is written \\`}},
		{"open string", "Main { include \"x;\n default y \"z;\n reject \"r;\n A 1; }", []string{"1:16: no closing", "2:12: no closing", "3:9: no closing"}},
		{"quote missing", "Main {\n A foo\"; B \"bar\";\n C 1; }", []string{"2:13: a string touches"}},
		{"doubled quotes", `Main { A "say ""hi"""; B 1; }`, []string{"1:16: a string touches"}},
		{"smart quotes", "Main { A “x y”; B \x93z\x94; C ‘q’; }", []string{"1:10: typographic quote", "1:23: typographic quote", "1:30: typographic quote"}},
		{"single quotes", "Main { A 'x y'; }", []string{"1:10: strings are written in double quotes"}},
		{"no-break space", "Main { A\u00a01; B\xa02; }", []string{"1:9: a no-break space", "1:15: a no-break space"}},
		{"odd characters", "Main {\n A é;\n B @x@y;\n C \x01;\n D \xff;\n E \\;\n F <1>; }", []string{"2:4: the character 'é'", "3:4: the character '@'", "4:4: the control character 01", "5:4: the octet ff", `6:4: the character '\\'`, "7:4: the character '<'"}},
		{"odd characters", "Main { é 1; A 1; }\né", []string{"1:8: the character 'é'", "2:1: the character 'é'"}},

		{"large", "Main {\nA 18446744073709551616;\nB 18446744074G;\nC -9223372036854775809;\nD 99999999999999999999999; }", []string{"2:3: does not fit in 64 bits", "3:3: does not fit", "4:3: the smallest number is -9223372036854775808", "5:3: does not fit"}},
		{"suffix", "Main {\nA 5K;\nB 10mbit;\nC 1.5M;\nD 3g; }", []string{"2:3: as in 5k", "3:3: as in 10M", "4:3: numbers are whole", "5:3: as in 3G"}},
		{"hex", "Main {\nA 0x;\nB 0xfg; }", []string{"2:3: no hexadecimal digits after 0x", `3:3: "g" is not a hexadecimal digit`}},
		{
			"arithmetic", "Main {\nA 1 +;\nB (1;\nC 1);\nD ();\nE +1;\nF * 1;\nG x - 1;\nH \"a\" + 1;\nI -x;\nJ 1 + ; }",
			[]string{
				`2:6: expected a value, got ";"`, "3:5: the ( at t.dcs:3:3 is not closed", "4:4: unmatched )", "5:4: expected a value before this )",
				"6:3: numbers have no plus sign", "7:3: expected a value", "8:5: x is a word", "9:7: one of them is a string", "10:3: x is a word", "11:7: expected a value",
			},
		},
		{"list", "Main {\nA 1,;\nB ,1;\nC 1,,2;\nD 1, }", []string{"2:5: no value after the comma", "3:3: expected a value", "4:5: no value after the comma", "5:6: expected a value"}},

		{"variable", "Main {\nA $;\nB ${;\nC ${x;\nD $0;\nE $10;\nF $$;\nG ${a-b};\nH ${}; }", []string{"2:3: no variable name after this $", "3:3: no variable name after this ${", "4:3: no variable name after this ${", "5:3: there is no $0", "6:3: $10 may mean two things", "7:3: $$ is a dollar sign inside of quotes only", "8:3: no variable name after this ${", "9:3: no variable name after this ${"}},
		{"variable", "Main {\nA \"x$\";\nB \"$ $\";\nC \"${x\";\nD \"$10\"; }", []string{"2:5: no variable name after this $", "3:4: no variable name after this $", "3:6: no variable name after this $", "4:4: no variable name after this ${", "5:4: $10 may mean"}},
		{"variable in a word", "Main {\ninclude a$b;\nB a.$i 1;\nC ${a}b;\nD $a.1;\nE ${a}k;\nF $a$b;\nG 5$a; }", []string{`2:10: write "a$b"`, `3:5: write "a.$i"`, `4:7: write "${a}b"`, `5:5: write "$a.1"`, "6:7: write ${a} * 1k", `7:5: write "$a$b"`, `8:4: write "5$a"`}},
		{"quoted index", "Main {\nA a.'x Integer 1;\nB a.\"$x\" Integer 1;\nC 1; }", []string{"2:5: unterminated quoted index", "3:6: do not expand in a quoted index"}},

		{"include", "Main {\ninclude;\ninclude 5;\ninclude a, b;\ninclude a b; }", []string{"2:8: a block's name", "3:9: a block's name", "4:10: one name", `5:11: expected ; at the end of include, got "b"`}},
		{"default", "Main {\ndefault $a 1;\ndefault a;\ndefault a-b 1;\ndefault { A 1; }\ndefault a 1 2;\ndefault 1 2; }", []string{"2:9: without the dollar sign", "3:10: default a has no value", "4:9: not a variable name", "5:9: only allowed among the cases of a select", "6:13: expected ;", "7:9: expected a variable's name"}},
		{"reject, hash", "Main {\nreject;\nreject x;\nhash foo;\nhash;\nA { hash na; } }\nModem { hash na; }", []string{"2:7: expected a quoted reason", "3:8: expected a quoted reason", "4:6: expected na, eu, ietf or none", "5:5: expected na, eu", "6:5: hash is only allowed directly", "7:9: hash is only allowed directly"}},
		{
			"select", "Main {\nselect { 1 { } }\nselect $a { }\nselect $a 1 { 1 { } }\nselect $a;\nselect $a { { } 1 A 1; 2 { } } B 1; }",
			[]string{"2:8: select has no subject", "3:1: no cases", "4:11: expected { after the subject of select", "5:10: expected { after the subject of select", "6:13: case without a label", `6:19: expected { after the label of a case, got "A"`},
		},
		{"select", "Main { select $a {\n1, 2 { }\n02 { }\ndefault { }\ndefault { }\n$b { }\n\"x$c\" { }\n\"y\", y { } } }", []string{"3:1: duplicate label 2, already used at t.dcs:2:4", "5:1: duplicate label default", "6:1: the variable $b: labels are constant", "7:3: a label is constant", "8:6: duplicate label y"}},

		{"header", "Main x { }\nMain $x { }\nMain 5 { }\nMain \"\" { }\nMain \"a$x\" { }\nMain ~ x { }\nMain;\nMain", []string{`1:6: write Main "x"`, "2:6: cannot be a variable", `3:6: write Main "5"`, "4:6: empty name", "5:8: a pattern takes a ~", "6:8: expected a quoted pattern", "7:5: Main has no body", "8:5: Main has no body"}},
		{"header", "Main \"^a$\" { }", []string{"1:9: a pattern takes a ~ before it"}},
		{"header", "Main priority x { }\nMain priority 3G { }\nMain priority 1 priority 2 { }\nMain from \"x\" { }\nMain resign { }\nMain \"x\" y { }", []string{"1:15: priority takes", "2:15: priority 3G is too large", "3:17: duplicate priority", "4:6: only Text and Binary", "5:6: only a Binary", `6:10: unexpected "y"`}},
		{"header", "Block { }\nBlock ~ \"x\" { }\nBlock a priority 1 { }", []string{"1:7: a Block has a name", "2:7: cannot have a pattern", "3:9: takes no priority"}},
		{"header", "Text \"a\"\nText \"a\" from b\nBinary \"a\" { }\nText \"a\" from \"b\" from \"c\"\nText \"a\" from \"b\" { A 1; hash na; }\nText \"a from", []string{"1:9: a Text is made from a file", "2:15: expected a quoted file name", "3:11: a Binary is made from a file", "4:19: duplicate from", "5:21: a Text holds no settings, so A", "5:26: hash is only", "6:6: unterminated string"}},
		{"errors in a bad item", "Main x {\n A 1\n}", []string{`1:6: write Main "x"`, "2:5: A has no ;"}},
	} {
		_, err := Parse("t.dcs", []byte(x.src), DCS)
		wantErrors(t, x.name, x.src, err, x.want)
	}
}

func TestDocsisErrors(t *testing.T) {
	for _, x := range []struct {
		src  string
		want []string
	}{
		{"", []string{"1:1: it should hold Main {"}},
		{"Main {\nA $x;\nB 5k;\nC 5-3;\nD 1+2*(3);\nE -(5);\nF 1 - 2;\n# c\nG 1; }", []string{
			"2:3: a variable needs a .dcs file", "3:3: a number with a suffix needs a .dcs file", "4:4: arithmetic needs a .dcs file", "5:4: arithmetic needs",
			"6:3: arithmetic needs", "7:5: arithmetic needs",
		}},
		{"Main {\ninclude \"x\";\ndefault a 1;\nreject \"x\";\nhash na;\nselect 1 { 1 { A 1 } } }", []string{
			"2:1: include needs a .dcs file", "3:1: default needs", "4:1: reject needs", "5:1: hash needs", "6:1: select needs", "6:19: A has no ;",
		}},
		{"Main \"x\" { }\nMain { }\nBlock x { }\nMain ~ \"x\" { }", []string{"1:6: a name needs a .dcs file", "2:1: a second Main needs", "3:1: Block needs", "4:1: a second Main needs"}},
		{"Main { A 5m; }", []string{"1:10: 5m is not a number; write all of its digits"}},
		{"Main { A $; }", []string{"1:10: dollar sign outside of quotes"}},
		{"A 1;", []string{"1:1: a file holds one Main"}},
	} {
		_, err := Parse("t.dcs", []byte(x.src), Docsis)
		wantErrors(t, "docsis", x.src, err, x.want)
	}
}

func wantErrors(t *testing.T, name, src string, err error, want []string) {
	t.Helper()
	got := lines(err)
	good := len(got) == len(want)
	for i := 0; good && i < len(want); i++ {
		place, words, _ := strings.Cut(want[i], ": ")
		good = strings.HasPrefix(got[i], "t.dcs:"+place+": ") && strings.Contains(got[i], words)
	}
	if !good {
		t.Errorf("%s: %q\n got %s\nwant %s", name, src, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// A message quotes the source, which may hold anything; a terminal must not feel it.
func TestErrorsArePrintable(t *testing.T) {
	_, err := Parse("t.dcs", []byte("Main { include a \"\x1b[2J\xfc\u0085ü\"; }"), DCS)
	wantErrors(t, "printable", "", err, []string{`1:18: got the string "?[2J??ü"`})
	_, err = Parse("t.dcs", []byte("Main { include "+strings.Repeat("a", 9999)+" b; C "+strings.Repeat("9", 9999)+"; }"), DCS)
	if n := len(fmt.Sprint(err)); n > 400 {
		t.Errorf("%d octets", n)
	}
}

// A statement with an error is left out; those beside it stay.
func TestPartialTree(t *testing.T) {
	for _, x := range []struct{ src, want string }{
		{"Main { A 1; B @; C 1; }", "(Main {(A 1) (C 1)})"},
		{"Main {\nA 1\nB 2; C = 3; }", "(Main {(A 1) (B 2) (C 3)})"},
		{"Main { A { B @; C 1; } D 1;", "(Main {(A {(C 1)}) (D 1)})"},
		{"Main { include \"x;\n A 1; B \"y;\n C 1; }", "(Main {(A 1) (C 1)})"},
		{"Block x { A 1; Main { B 1; } }", "(Block \"x\" {(A 1)}) (Main {(B 1)})"},
		{"Main { select $a { 1 { A 1; include \"x;\n } } }", "(Main {(select $a (1 {(A 1)}))})"},
		{"Main { select $a { 1 { } $b { } } A 1; }", "(Main {(A 1)})"},
	} {
		f, err := Parse("t", []byte(x.src), DCS)
		if err == nil {
			t.Errorf("%s: no error", x.src)
		}
		if got := dump(f); got != x.want {
			t.Errorf("%s\n got %s\nwant %s", x.src, got, x.want)
		}
	}
}

func TestErrorsAreCapped(t *testing.T) {
	_, err := Parse("t.dcs", []byte("Main {\n"+strings.Repeat("A = 1;\n", 67)+"}"), DCS)
	got := lines(err)
	if len(got) != MaxErrors+1 {
		t.Fatalf("%d lines", len(got))
	}
	if want := "t.dcs:52:3: and 17 more from here on: mend those above first"; got[MaxErrors] != want {
		t.Errorf("%q, want %q", got[MaxErrors], want)
	}
}

func TestDepthLimits(t *testing.T) {
	nest := func(n int, open, inner, end string) string {
		return "Main { " + strings.Repeat(open, n) + inner + strings.Repeat(end, n) + " }"
	}
	for _, x := range []struct {
		src, want string
	}{
		{nest(63, "A { ", "B 1;", " }"), ""},
		{nest(64, "A { ", "B 1;", " }"), "t.dcs:1:262: braces nest deeper than 64 levels"},
		{nest(31, "select $a { 1 { ", "B 1;", " } }"), ""},
		{nest(32, "select $a { 1 { ", "B 1;", " } }"), "braces nest deeper than 64 levels"},
		{"Main { A " + strings.Repeat("(", 64) + "1" + strings.Repeat(")", 64) + "; }", ""},
		{"Main { A " + strings.Repeat("(", 65) + "1" + strings.Repeat(")", 65) + "; }", "expression nests deeper than 64 levels"},
		{"Main { A " + strings.Repeat("-", 65) + "$x; }", "expression nests deeper than 64 levels"},
		{"Main { A 1" + strings.Repeat("+1", 256) + "; }", ""},
		{"Main { A 1" + strings.Repeat("+1", 257) + "; }", "more than 256 operators"},
	} {
		_, err := Parse("t.dcs", []byte(x.src), DCS)
		got := lines(err)
		if x.want == "" && err != nil || x.want != "" && (len(got) != 1 || !strings.Contains(got[0], x.want)) {
			t.Errorf("%.80s: %v, want %q", x.src, err, x.want)
		}
	}
}

// A megabyte of anything takes time in proportion, and no stack.
func TestHostileInput(t *testing.T) {
	require.Long(t, "inputs of a megabyte")
	for i, unit := range []string{
		"{", "(", "-", "Main{", // these are the ones that a parser recurses on
		"}", ")", "$", "\"", "'", "/*", "*/", "\n", ",", ";", "é", "“", "\\", "1+", "1,", "A ", "A{", "A;", "A 1 ", "\x00", "A\n", ".'", ".''",
		"${", "$a", "\"$a", "\"\\", "Main ", "Main\"x", "select $a{", "select $a{1{", "select $a{1{}", "1{}", "include ", "default a (", "0x", "00-", "A B\n",
	} {
		size := 1 << 14
		if i < 4 {
			size = 1 << 20
		}
		for _, prefix := range []string{"", "Main { ", "Main { A ", "Main { select $a { "} {
			for _, d := range []Dialect{DCS, Docsis}[:min(i/4+1, 2)] {
				src := prefix + strings.Repeat(unit, size/len(unit))
				start := time.Now()
				_, err := Parse("t", []byte(src), d)
				if took := time.Since(start); took > 20*time.Second {
					t.Errorf("%q of %q: %v", prefix, unit, took)
				}
				if n := len(fmt.Sprint(err)); n > (MaxErrors+1)*(maxMessage+100) {
					t.Errorf("%q of %q: %d octets of errors", prefix, unit, n)
				}
			}
		}
	}
}
