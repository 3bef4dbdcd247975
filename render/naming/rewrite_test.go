package naming

import (
	"fmt"
	"strings"
	"testing"
)

func TestRewrite(t *testing.T) {
	to := func(match, to string) Rule { return Rule{Match: match, To: to, Rewrite: true} }
	repeat := func(match, to string) Rule { return Rule{Match: match, To: to, Rewrite: true, Repeat: true} }
	for _, tt := range []struct {
		name        string
		rules       []Rule
		asked, file string
		refusal     Refusal
	}{
		{"a prefix", []Rule{to("^/tftpboot/(.*)$", "$1")}, "/tftpboot/a/x", "a/x", Allowed},
		{"no match", []Rule{to("^/tftpboot/(.*)$", "$1")}, "tftpboot/x", "tftpboot/x", Allowed},
		{"what stands around stays", []Rule{to("b+", "-")}, "abbc", "a-c", Allowed},
		{"the first only", []Rule{to("b", "-")}, "abcb", "a-cb", Allowed},
		{"all", []Rule{repeat("b", "-")}, "abcb", "a-c-", Allowed},
		{"until none is left", []Rule{repeat("ab", "")}, "x-aaabbb", "x-", Allowed},
		{"overlapping", []Rule{repeat("/_/", "/-_-/")}, "a/_/_/x", "a/-_-/-_-/x", Allowed},
		{"leads out before", []Rule{repeat("/../", "/")}, "a/../x", "", Outside},
		{"in turn", []Rule{to("a", "b"), to("b", "c")}, "a", "c", Allowed},
		{"last", []Rule{{Match: "a", To: "b", Rewrite: true, Last: true}, to("b", "c")}, "a", "b", Allowed},
		{"last without a match", []Rule{{Match: "x", Last: true}, to("a", "c")}, "a", "c", Allowed},
		{"last alone", []Rule{{Match: "^ok/", Last: true}, to("a", "c")}, "ok/a", "ok/a", Allowed},
		{"refuse", []Rule{{Match: `\.pvt$`, Refuse: true}}, "a.pvt", "", Refused},
		{"refuse a directory", []Rule{{Match: "^/secret/", Refuse: true}}, "/secret/x", "", Refused},
		{"refuse it, spelled otherwise", []Rule{{Match: "^/secret/", Refuse: true}}, `/\.\secret//x`, "", Refused},
		{"refuse it without a slash", []Rule{{Match: "^/?secret/", Refuse: true}}, "./secret/x", "", Refused},
		{"a name without a slash is another", []Rule{{Match: "^/secret/", Refuse: true}}, "secret/x", "secret/x", Allowed},
		{"refuse others", []Rule{{Unless: `\.bin$`, Refuse: true}}, "a.cfg", "", Refused},
		{"refuse others: not this", []Rule{{Unless: `\.bin$`, Refuse: true}}, "a.bin", "a.bin", Allowed},
		{"groups", []Rule{to("^(?P<a>[a-z]+)-([0-9]+)$", "$2/${a}x$a.$0$$")}, "ab-7", "7/abxab.ab-7$", Allowed},
		{"a digit behind a group", []Rule{to("^(.)(.)$", "${1}2$22")}, "ab", "a2b2", Allowed},
		{"a group that was not there", []Rule{to("^a(b)?c$", "[$1]")}, "ac", "[]", Allowed},
		{"case", []Rule{to("^(.)(.*)$", `\U$1é\L$2X\Ey\\`)}, "aBc", "Aébcxy/", Allowed},
		{"cleaned behind", []Rule{to("^", "./a//")}, "x", "a/x", Allowed},
		{"roots behind", []Rule{to("^[^/]", "/tftpboot/$0")}, "x", "x", Allowed},
		{"leads out behind", []Rule{to("up", "..")}, "a/up/b", "", Outside},
		{"a device behind", []Rule{to("^([0-9a-f]{12})/(.*)$", "$2@$1")}, "0a0102030405/x", "x", Allowed},
		{"grows", []Rule{repeat("(a+)b", "$1$1b")}, "ab", "", TooLong},
		{"too long", []Rule{to("^", strings.Repeat("n", 512))}, "a", "", TooLong},
		{"at its longest", []Rule{to("^", strings.Repeat("n", 511))}, "a", strings.Repeat("n", 511) + "a", Allowed},
		{"endless", []Rule{repeat("a(.)", "a$1")}, "ab", "", Endless},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rules(t, Config{Backslash: true, Roots: []string{"/tftpboot"}, Rewrite: tt.rules})
			var sc Scratch
			for range 2 { // the second time it is remembered
				n := r.Read([]byte(tt.asked), true, &sc)
				if string(n.File) != tt.file || n.Refusal != tt.refusal || !n.MAC.IsZero() && n.MAC != mac {
					t.Errorf("%q: %q %q, want %q %q", tt.asked, n.File, n.Refusal, tt.file, tt.refusal)
				}
			}
		})
	}
}

// The device is taken off before names are rewritten, so that a million devices have one name to remember.
func TestRewriteSeesNoDevice(t *testing.T) {
	r := rules(t, Config{Rewrite: []Rule{{Match: `^/cfg/(.*)\.md5$`, To: "$1.cm", Rewrite: true}}})
	var sc Scratch
	n := r.Read([]byte("/cfg/gold.md5@0a0102030405"), true, &sc)
	if string(n.File) != "gold.cm" || n.MAC != mac {
		t.Errorf("%+v", n)
	}
	fold := rules(t, Config{IgnoreCase: true, Rewrite: []Rule{{Match: "^/Old/", To: "", Rewrite: true}}})
	if n := fold.Read([]byte("/OLD/Gold.cm"), true, &sc); string(n.File) != "gold.cm" {
		t.Errorf("case ignored: %+v", n)
	}
}

// Names of many clients take each other's places, and are never mistaken for one another; other rules forget them.
func TestCache(t *testing.T) {
	upper := rules(t, Config{Rewrite: []Rule{{Match: "^(.*)$", To: `\U$1`, Rewrite: true}}})
	other := rules(t, Config{Rewrite: []Rule{{Match: "^(.*)$", To: `$1.bin`, Rewrite: true}}})
	var sc Scratch
	for range 2 {
		for i := range 3 * cacheSlots {
			name := fmt.Sprintf("name-%d", i)
			if n := upper.Read([]byte(name), true, &sc); string(n.File) != strings.ToUpper(name) {
				t.Fatalf("%s: %s", name, n.File)
			}
		}
		if n := other.Read([]byte("name-1"), true, &sc); string(n.File) != "name-1.bin" {
			t.Fatalf("other rules: %s", n.File)
		}
		for _, length := range []int{cachedName - 4, cachedName - 3, cachedName, cachedName + 1, MaxName - 4} {
			name := strings.Repeat("n", length)
			if n := other.Read([]byte(name), true, &sc); string(n.File) != name+".bin" {
				t.Fatalf("%d octets: %s", length, n.File)
			}
		}
	}
}

func TestRuleErrors(t *testing.T) {
	for _, tt := range []struct {
		rule Rule
		want string // part of the error
	}{
		{Rule{}, "set either match or unless"},
		{Rule{Match: "a", Unless: "b", Last: true}, "set either match or unless"},
		{Rule{Match: "a"}, "no effect"},
		{Rule{Unless: "a", To: "b", Rewrite: true}, "unless cannot be used with to"},
		{Rule{Match: "a", Refuse: true, Last: true}, "refuse cannot be used with"},
		{Rule{Match: "a", Last: true, Repeat: true}, "repeat requires to"},
		{Rule{Match: "(", Last: true}, "missing closing )"},
		{Rule{Match: "(?=a)", Last: true}, "invalid or unsupported Perl syntax"},
		{Rule{Match: "a*", Rewrite: true, Repeat: true}, "match matches every name"},
		{Rule{Match: "a", To: "$1", Rewrite: true}, "no group $1"},
		{Rule{Match: "a", To: "$b", Rewrite: true}, "no group $b"},
		{Rule{Match: "a", To: "${b", Rewrite: true}, "invalid ${"},
		{Rule{Match: "a", To: "${}", Rewrite: true}, "invalid ${"},
		{Rule{Match: "a", To: "a$", Rewrite: true}, "$ at the end"},
		{Rule{Match: "a", To: "$-", Rewrite: true}, "invalid $;"},
		{Rule{Match: "a", To: `\x`, Rewrite: true}, `unknown sequence \x`},
		{Rule{Match: strings.Repeat("a", MaxName+1), Last: true}, "longer than 512 octets"},
	} {
		if err := tt.rule.Compile(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want …%s…", tt.rule, err, tt.want)
		}
	}
	if _, err := New(Config{Rewrite: make([]Rule, maxRules+1)}); err == nil {
		t.Error("too many rules were read")
	}
}

// A rule that repeats is refused at load if it never ends for any name that it matches, and for that reason alone.
func TestEndless(t *testing.T) {
	for _, tt := range []struct {
		match, to string
		fold      bool
		want      string // part of the error; "": accepted
	}{
		{"[ab]", "b", false, `match matches "b", which to inserts`},
		{"a", "aa", false, `match matches "aa", which to inserts`},
		{"a", `\UA\La`, false, `match matches "a", which to inserts`},
		{"/+", "/", false, `match matches "/", which to inserts`},
		{"^/x", "/x/$0", false, `match matches "/x/", which to inserts`},
		{"x$", "yx", false, `match matches "yx", which to inserts`},
		{"^(.+)$", "$1", false, "to inserts all that match matches"},
		{"^.+", "$0-", false, "to inserts all that match matches"},
		{"((a|b))", "c$2c", false, "to inserts all that match matches"},
		{"A", "a", true, "ignore_case is on"},
		{"A", "a", false, ""},
		{"//", "/", false, ""},
		{"b", "-", false, ""},
		{"/_/", "/-_-/", false, ""},
		{"^x", "yx", false, ""},  // x stands at the start no more
		{"x$", "x-", false, ""},  // nor at the end
		{`\bx`, "yx", false, ""}, // nor at the start of a word
		{"^(.+)$", "a", false, "inserts"},
		{"^(.*)x$", "$1", false, ""},
		{"(a)b", "$1", false, ""},
		{"a", `\U$0`, false, ""},
	} {
		_, err := New(Config{IgnoreCase: tt.fold, Rewrite: []Rule{{Match: tt.match, To: tt.to, Rewrite: true, Repeat: true}}})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s to %s: %v, want %s", tt.match, tt.to, err, tt.want)
		}
	}
}

// A rule that is refused as endless would indeed refuse every name that it matches.
func FuzzEndless(f *testing.F) {
	f.Add("[ab]", "b", "xa")
	f.Add("^a(.)", "a$1", "ab")
	f.Add("(b+)$", "-$1", "abb")
	f.Add("a|^b", "b$0", "ba")
	f.Fuzz(func(t *testing.T, match, to, name string) {
		r := Rule{Match: match, To: to, Rewrite: true, Repeat: true}
		err := r.Compile()
		if err == nil || !strings.Contains(err.Error(), "never ends") || len(name) > MaxName {
			return
		}
		u, err := r.ready(false)
		if err != nil || u.re.FindStringIndex(name) == nil {
			return
		}
		rules := &Rules{rewrite: []*rule{u}}
		if to, refusal := rules.rewritten([]byte(name)); refusal != Endless && refusal != TooLong {
			t.Errorf("%q with %q by %q ends in %q", name, match, r.To, to)
		}
	})
}
