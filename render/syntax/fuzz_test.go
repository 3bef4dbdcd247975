package syntax

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, src := range []string{
		template, "", "Main { A 1; }", "Main { A { B -1, 0x1; C a.'b'.\"c\" Integer -$x; } }", "Main { A “x”; B \x93; }\xff",
		"Binary \"a$$\" from \"b$c\" resign Text ~ \"a\\\"\\\\\" priority -1 from \"x\" { default a 1; }",
		"Main { select $a { 1, -2, \"x\" { hash na; } default { } } A 1\nB 2 }", "Main { A \"x\\\";\n Main { /* \n", "Main { A 1+(2-3)*-$a/4k - -(5); }",
		"\ufeffmain{A 1.2.3.4/5,6::7/8;}}} Block x { reject \"$1${12}$$\"; }", "Main { A 00-11-22-33-44-55; B 10mbit-gold; C 5-3; }\r\n",
	} {
		f.Add(src, false)
		f.Add(src, true)
	}
	f.Fuzz(func(t *testing.T, src string, docsis bool) {
		d := DCS
		if docsis {
			d = Docsis
		}
		file, err := Parse("fuzz", []byte(src), d)
		inside := strings.Split(strings.TrimPrefix(src, "\ufeff"), "\n")
		place := func(p Pos) {
			if p.File != "fuzz" || p.Line < 1 || p.Line > len(inside) || p.Col < 1 || p.Col > len(inside[p.Line-1])+1 {
				t.Fatalf("%v lies outside of %q", p, src)
			}
		}
		positions(file, place)
		if err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 || len(errs) > MaxErrors+1 {
				t.Fatalf("%d errors in a %T", len(errs), err)
			}
			for i, e := range errs {
				place(e.Pos)
				if i > 0 && (e.Pos.Line < errs[i-1].Pos.Line || e.Pos.Line == errs[i-1].Pos.Line && e.Pos.Col < errs[i-1].Pos.Col) {
					t.Fatalf("not in order: %v", errs)
				}
			}
		}
		// what could be read of a bad file must print as a good one, too; an item whose header has an error could not
		file.Items = slices.DeleteFunc(file.Items, func(it *Item) bool { return it.Header != "" })
		if len(file.Items) == 0 {
			return
		}
		printed := printFile(file)
		again, err := Parse("again", []byte(printed), d)
		if err != nil && strings.Contains(err.Error(), " needs a .dcs file") {
			return
		}
		if err != nil {
			t.Fatalf("%q printed as\n%s\n%v", src, printed, err)
		}
		if got, want := dump(again), dump(file); got != want {
			t.Fatalf("%q printed as\n%s\n got %s\nwant %s", src, printed, got, want)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var src strings.Builder
	src.WriteString("Main {\n")
	for range 12 {
		src.WriteString("UsServiceFlow {\n\tUsServiceFlowRef 1; /* primary */\n\tQosParamSetType 7;\n\tMaxRateSustained $up * 1000;\n}\n" +
			"SnmpMibObject docsDevFilterIpSmask.1 IPAddress 255.255.255.255;\nSwUpgradeFilename \"fw-$model.bin\";\n")
	}
	src.WriteString("}\n")
	text := []byte(src.String())
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("b.dcs", text, DCS); err != nil {
			b.Fatal(err)
		}
	}
}
