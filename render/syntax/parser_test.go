package syntax

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The template of the language's description, its comments shortened.
const template = `
# a comment; also // and /* */
Block gold {                            /* an include block */
    DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained $down * 1000; }
}
Main ~ "^(?P<isp>[a-z]{4})ip(?P<cpe>[1-9]|1[0-6])bw(?P<tier>[0-9]+)\.bin$" {
    default down 512;                   // used when nothing else gives $down
    NetworkAccess 1;
    MaxCPE $cpe;
    select $tier {
        1       { include bronze; }
        2, 3    { include gold; }
        default { reject "no such tier"; }
    }
    include "snmp-$isp.dcs";
    TftpTimestamp $time;
    TftpModemAddress $ip;
}
Main "firmware-lab.cm" { NetworkAccess 0; }
Text ~ "^router-(?P<site>[a-z0-9]+)\.conf$" from "router.tmpl"
`

func TestParseExample(t *testing.T) {
	f, err := Parse("gold.dcs", []byte(template), DCS)
	if err != nil {
		t.Fatal(err)
	}
	want := "(Block \"gold\" {(DsServiceFlow {(DsServiceFlowRef 2) (QosParamSetType 7) (MaxRateSustained ($down*1000))})}) " +
		`(Main ~"^(?P<isp>[a-z]{4})ip(?P<cpe>[1-9]|1[0-6])bw(?P<tier>[0-9]+)\\.bin$" {` +
		"(default down 512) (NetworkAccess 1) (MaxCPE $cpe) " +
		"(select $tier (1 {(include `bronze`)}) (2,3 {(include `gold`)}) (default {(reject \"no such tier\")})) " +
		`(include ["snmp-" $isp ".dcs"]) (TftpTimestamp $time) (TftpModemAddress $ip)}) ` +
		`(Main "firmware-lab.cm" {(NetworkAccess 0)}) ` +
		`(Text ~"^router-(?P<site>[a-z0-9]+)\\.conf$" from="router.tmpl")`
	if got := dump(f); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s := f.Items[1].Body[3].(*Select)
	for _, x := range []struct{ got, want Pos }{
		{f.Items[0].Pos, Pos{"gold.dcs", 3, 1}},
		{f.Items[0].NamePos, Pos{"gold.dcs", 3, 7}},
		{f.Items[0].End, Pos{"gold.dcs", 5, 1}},
		{f.Items[0].Body[0].(*Setting).Body[2].(*Setting).Values[0].Position(), Pos{"gold.dcs", 4, 83}},
		{s.Pos, Pos{"gold.dcs", 10, 5}},
		{s.Cases[1].Labels[1].Position(), Pos{"gold.dcs", 12, 12}},
		{s.End, Pos{"gold.dcs", 14, 5}},
		{f.Items[1].Body[4].(*Include).Target.(*String).Parts[1].Var.Pos, Pos{"gold.dcs", 15, 19}},
	} {
		if x.got != x.want {
			t.Errorf("position %v, want %v", x.got, x.want)
		}
	}
}

func TestItems(t *testing.T) {
	for _, x := range []struct{ src, want string }{
		{`Main { }`, "(Main {})"},
		{`main{}MAIN{};`, "(Main {}) (Main {})"},
		{`Modem "a" priority 10 { }`, `(Modem "a" priority=10 {})`},
		{`Mta ~ "^a\"b\\c\.$" priority -3 { hash eu; }`, `(Mta ~"^a\"b\\\\c\\.$" priority=-3 {(hash eu)})`},
		{`CableHome "a$$b" { hash2 na; }`, "(CableHome \"a$b\" {(hash2 `na`)})"},
		{`Main priority 1k {}`, "(Main priority=1000 {})"},
		{`Binary "fw.bin" from "/srv/fw.bin" resign Binary "x" from "y";`, `(Binary "fw.bin" from="/srv/fw.bin" resign) (Binary "x" from="y")`},
		{
			`Text "a" from "b-$site.tmpl" priority 2 { default dns "10.0.0.1"; reject "no"; }`,
			`(Text "a" priority=2 from=["b-" $site ".tmpl"] {(default dns "10.0.0.1") (reject "no")})`,
		},
		{`Block snmp-base.2 {} Block "two words" {} Block priority {}`, `(Block "snmp-base.2" {}) (Block "two words" {}) (Block "priority" {})`},
	} {
		check(t, x.src, x.want, DCS)
	}
}

func TestStatements(t *testing.T) {
	for _, x := range []struct{ src, want string }{
		{`GenericTLV TlvCode 1 TlvLength 2 TlvValue 0x0102;`, "(GenericTLV `TlvCode` 1 `TlvLength` 2 `TlvValue` 0x0102)"},
		{`GenericTLV TlvCode 5 { GenericTLV TlvCode 1 TlvString "a"; }`, "(GenericTLV `TlvCode` 5 {(GenericTLV `TlvCode` 1 `TlvString` \"a\")})"},
		{"GenericTLV TlvCode 1\n TlvLength 2\n TlvValue 0X0A;", "(GenericTLV `TlvCode` 1 `TlvLength` 2 `TlvValue` 0x0A)"},
		{"SnmpMibObject a.0\n Integer 5;", "(SnmpMibObject `a.0` `Integer` 5)"},
		{"SnmpMibObject a.0\n Integer\n createAndGo;", "(SnmpMibObject `a.0` `Integer` `createAndGo`)"},
		{`Flag; A {};; B { C 1; };`, "(Flag) (A {}) (B {(C 1)})"},
		{`include gold; include "x"; include $p; include ${p};`, "(include `gold`) (include \"x\") (include $p) (include $p)"},
		{`Foo include; Include 1; Select 1; eRouter { }`, "(Foo `include`) (Include 1) (Select 1) (eRouter {})"},
		{`default a "x$y"; default _b1 $c * 2; default l 1, 2;`, `(default a ["x" $y]) (default _b1 ($c*2)) (default l <1,2>)`},
		{`select $a-1 { -1 { } 0x10, "b c", gold, "" { A 1; } default { } }`, "(select ($a-1) (-1 {}) (0x10,\"b c\",`gold`,[] {(A 1)}) (default {}))"},
		{`select $a { default { select $b { 1 { } } } }`, "(select $a (default {(select $b (1 {}))}))"},
		{`select "$a-$b" { "x-y" { } }`, `(select [$a "-" $b] ("x-y" {}))`},
		{`hash na; hash none;`, "(hash na) (hash none)"},
	} {
		check(t, "Main {"+x.src+"}", "(Main {"+x.want+"})", DCS)
	}
}

func TestValues(t *testing.T) {
	for _, x := range []struct{ src, want string }{
		// numbers
		{"0", "0"},
		{"007", "7"},
		{"10k", "10000"},
		{"3M", "3000000"},
		{"2G", "2000000000"},
		{"18446744073709551615", "18446744073709551615"},
		{"18446744073G", "18446744073000000000"},
		{"-1", "-1"},
		{"-9223372036854775808", "-9223372036854775808"},
		{"-0", "0"},
		{"-5k", "-5000"},
		{"0xdeadBEEF", "0xdeadBEEF"},
		{"0X0", "0x0"},
		// words
		{".1.3.6.1", "`.1.3.6.1`"},
		{"1.3.6", "`1.3.6`"},
		{"10.0.0.1", "`10.0.0.1`"},
		{"::", "`::`"},
		{"fd10:10:2::4", "`fd10:10:2::4`"},
		{"2001:db8::1", "`2001:db8::1`"},
		{"1::", "`1::`"},
		{"::ffff:10.0.0.1", "`::ffff:10.0.0.1`"},
		{"00:11:22:aa:bb:cc", "`00:11:22:aa:bb:cc`"},
		{"00-11-22-33-44-55", "`00-11-22-33-44-55`"},
		{"aa-11-22-33-44-55", "`aa-11-22-33-44-55`"},
		{"0a0102030405", "`0a0102030405`"},
		{"0011.2233.4455", "`0011.2233.4455`"},
		{"DOCS-CABLE-DEVICE-MIB::docsDevCpeIpMax.0", "`DOCS-CABLE-DEVICE-MIB::docsDevCpeIpMax.0`"},
		{"snmpCommunityName.'abc'", "`snmpCommunityName.'abc'`"},
		{"snmpCommunityName.'a b;{}\\'", "`snmpCommunityName.'a b;{}\\'`"},
		{`vacmAccessStatus."rotesting"."".1.noAuthNoPriv`, "`vacmAccessStatus.\"rotesting\".\"\".1.noAuthNoPriv`"},
		{`vacmGroupName.1."x"`, "`vacmGroupName.1.\"x\"`"},
		{"createAndGo", "`createAndGo`"},
		{"10mbit-gold", "`10mbit-gold`"},
		{"0:0:0:5.00", "`0:0:0:5.00`"},
		// pairs and lists
		{"10.0.0.1/80", "(`10.0.0.1`/80)"},
		{"::/0", "(`::`/0)"},
		{"2002::22:1/1234", "(`2002::22:1`/1234)"},
		{"$net/24", "($net/24)"},
		{"00:11:22:33:44:55/ff:ff:ff:00:00:00", "(`00:11:22:33:44:55`/`ff:ff:ff:00:00:00`)"},
		{"00-11-22-33-44-55/ff-ff-ff-00-00-00", "(`00-11-22-33-44-55`/`ff-ff-ff-00-00-00`)"},
		{"0,1,2", "<0,1,2>"},
		{"1 , -2", "<1,-2>"},
		{"5005::5:5/16,2033::3/32", "<(`5005::5:5`/16),(`2033::3`/32)>"},
		{"$a,\n$b + 1", "<$a,($b+1)>"},
		// arithmetic
		{"1+2*3", "(1+(2*3))"},
		{"(1+2)*3", "((1+2)*3)"},
		{"8/4/2", "((8/4)/2)"},
		{"5-3", "(5-3)"},
		{"5-3-1", "((5-3)-1)"},
		{"5 - 3", "(5-3)"},
		{"5 - -3", "(5--3)"},
		{"5--3", "(5--3)"},
		{"$a-1", "($a-1)"},
		{"$a - $b", "($a-$b)"},
		{"0x10+1", "(0x10+1)"},
		{"-$a", "(-$a)"},
		{"-(1+2)*3", "((-(1+2))*3)"},
		{"-(5)", "-5"},
		{"--5", "(--5)"},
		{"(5)", "5"},
		{"$down*1000/8", "(($down*1000)/8)"},
		{"($a -1)", "($a-1)"},
		{"(5k)", "5000"},
		{"10-11-12", "((10-11)-12)"},
		// where a value ends
		{"Integer -1", "`Integer` -1"},
		{"5 -3", "5 -3"},
		{"$a -1", "$a -1"},
		{"Integer -$a", "`Integer` (-$a)"},
		{"a -(1+2)", "`a` (-(1+2))"},
		{"a 1 2 $b", "`a` 1 2 $b"},
		{`String"x"`, "`String` \"x\""},
		{"$a (1)", "$a 1"},
		{"1 -2, 3", "1 <-2,3>"},
		// variables
		{"$1", "$1"},
		{"${1}", "$1"},
		{"${12}", "$12"},
		{"$_a1", "$_a1"},
		{"${name}", "$name"},
		// strings
		{`""`, "[]"},
		{`"a\"b\\c"`, `"a\"b\\c"`},
		{`"C:\dir\n"`, `"C:\\dir\\n"`},
		{`"\\"`, `"\\"`},
		{`"\\\""`, `"\\\""`},
		{`"fw-$model.bin"`, `["fw-" $model ".bin"]`},
		{`"${model}x"`, `[$model "x"]`},
		{`"$1x$2"`, `[$1 "x" $2]`},
		{`"${1}0"`, `[$1 "0"]`},
		{`"$$"`, `"$"`},
		{`"a$$b$$c"`, `"a$b$c"`},
		{`"$$$a$$"`, `["$" $a "$"]`},
		{`"\$a"`, `["\\" $a]`},
		{"\"\xe9\x01\t\xff\"", `"\xe9\x01\t\xff"`},
		{"\"/* # // ; } \"", `"/* # // ; } "`},
	} {
		check(t, "Main { K "+x.src+"; }", "(Main {(K "+x.want+")})", DCS)
	}
}

func TestDocsisDialect(t *testing.T) {
	for _, x := range []struct{ src, want string }{
		{"Main \r\n{\r\nNetworkAccess 1; /* c\r\n */\r\n}\r\n", "(Main {(NetworkAccess 1)})"},
		{`mAIN { A "$a$$ $"; }`, `(Main {(A "$a$$ $")})`},
		{`Main { A "a\"b\\c\d"; }`, `(Main {(A "a\"b\\c\\d")})`},
		{`Main { A -1; B x.0 Integer -2; C 1,2; // it takes these, too` + "\n}", "(Main {(A -1) (B `x.0` `Integer` -2) (C <1,2>)})"},
		{`Main { A 1.2.3.4/69; B x.'$y' String "";}`, "(Main {(A (`1.2.3.4`/69)) (B `x.'$y'` `String` [])})"},
	} {
		check(t, x.src, x.want, Docsis)
	}
}

func check(t *testing.T, src, want string, d Dialect) {
	t.Helper()
	f, err := Parse("t.dcs", []byte(src), d)
	if err != nil {
		t.Errorf("%s\n%v", src, err)
		return
	}
	if got := dump(f); got != want {
		t.Errorf("%s\n got %s\nwant %s", src, got, want)
	}
	roundTrip(t, f)
}

func roundTrip(t *testing.T, f *File) {
	t.Helper()
	src := printFile(f)
	again, err := Parse("again", []byte(src), f.Dialect)
	if err != nil {
		t.Errorf("printed again:\n%s\n%v", src, err)
		return
	}
	if got, want := dump(again), dump(f); got != want {
		t.Errorf("printed again:\n%s\n got %s\nwant %s", src, got, want)
	}
}

func TestNumberText(t *testing.T) {
	f, err := Parse("t", []byte("Main { A 5k -3M; }"), DCS)
	if err != nil {
		t.Fatal(err)
	}
	vals := f.Items[0].Body[0].(*Setting).Values
	if a, b := vals[0].(*Number), vals[1].(*Number); a.Text != "5k" || b.Text != "-3M" || b.Pos.Col != 13 {
		t.Errorf("%+v %+v", *a, *b)
	}
}

func TestByteOrderMark(t *testing.T) {
	f, err := Parse("t", []byte("\ufeffMain { A 1; }"), Docsis)
	if err != nil || f.Items[0].Pos != (Pos{"t", 1, 1}) {
		t.Errorf("%v %v", err, f.Items)
	}
}

func TestDialectOf(t *testing.T) {
	for name, want := range map[string]Dialect{
		"a.dcs": DCS, "-": DCS, "": DCS, "a": DCS, "a.cm": DCS, "txt": DCS, "a.txt.dcs": DCS,
		"a.cfg": Docsis, "/x.y/a.TXT": Docsis, "a.conf": Docsis, ".cfg": Docsis,
	} {
		if got := DialectOf(name); got != want {
			t.Errorf("DialectOf(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestParseText(t *testing.T) {
	s, err := ParseText("r.tmpl", []byte("host $site\n\\cost $$5 \"${ip}\"\n$1$2"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := dumpExpr(s), `["host " $site "\n\\cost $5 \"" $ip "\"\n" $1 $2]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for i, want := range map[int]Pos{1: {"r.tmpl", 1, 6}, 3: {"r.tmpl", 2, 12}, 5: {"r.tmpl", 3, 1}, 6: {"r.tmpl", 3, 3}} {
		if got := s.Parts[i].Var.Pos; got != want {
			t.Errorf("part %d at %v, want %v", i, got, want)
		}
	}
	_, err = ParseText("r.tmpl", []byte("a $ b\n\n  ${x"))
	if got := lines(err); len(got) != 2 || !strings.HasPrefix(got[0], "r.tmpl:1:3: ") || !strings.HasPrefix(got[1], "r.tmpl:3:3: ") {
		t.Errorf("%q", got)
	}
	if s, err := ParseText("e", nil); err != nil || len(s.Parts) != 0 {
		t.Errorf("%v %v", s, err)
	}
}

func TestErrorsType(t *testing.T) {
	var errs Errors
	if errs.Err() != nil {
		t.Error("no errors are an error")
	}
	errs.Addf(Pos{"b", 1, 1}, "third")
	errs.Addf(Pos{"a", 2, 1}, "second %d", 2)
	errs.Addf(Pos{"a", 1, 9}, "first")
	err := fmt.Errorf("library: %w", errs.Err())
	if got, want := err.Error(), "library: a:1:9: first\na:2:1: second 2\nb:1:1: third"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var list Errors
	var one *Error
	if !errors.As(err, &list) || len(list) != 3 || !errors.As(err, &one) || one.Pos != (Pos{"a", 1, 9}) {
		t.Errorf("%v %v", list, one)
	}
}

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}
