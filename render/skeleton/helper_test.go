package skeleton

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/mic"
	"dcs/render/syntax"
)

// bench is one template with what it is rendered for.
type bench struct {
	src      string
	blocks   string // further source that holds blocks
	schema   []string
	record   attr.Record
	pattern  []string // names of the groups, from number 1
	captures []string
	env      Env
	values   Values
	files    map[string]string
	wide     bool // what a variable may mean is looked at for all values together
}

func (b *bench) template(t testing.TB) (*Template, error) {
	t.Helper()
	f, err := syntax.Parse("t.dcs", []byte(b.src), syntax.DCS)
	if err != nil {
		return nil, err
	}
	items := map[string]*syntax.Item{}
	if b.blocks != "" {
		g, err := syntax.Parse("blocks.dcs", []byte(b.blocks), syntax.DCS)
		if err != nil {
			return nil, err
		}
		for _, it := range g.Items {
			items[it.Name] = it
		}
	}
	env := b.env
	env.MIB = mib.Default()
	if env.Schema == nil {
		if env.Schema, err = attr.NewSchema(b.schema...); err != nil {
			t.Fatal(err)
		}
	}
	env.Include = func(_ syntax.Pos, name string, _ bool) (*syntax.Item, error) {
		if it := items[name]; it != nil {
			return it, nil
		}
		return nil, fmt.Errorf("nothing called %q", name)
	}
	choices := map[string]*Choices{}
	env.Candidates = func(_ syntax.Pos, pieces []string) []*Choices {
		key := strings.Join(pieces, "$")
		if ch := choices[key]; ch != nil {
			return []*Choices{ch}
		}
		var out []*syntax.Item
		for name, it := range items {
			if strings.HasPrefix(name, pieces[0]) && strings.HasSuffix(name, pieces[len(pieces)-1]) {
				out = append(out, it)
			}
		}
		if out == nil {
			return nil
		}
		choices[key] = &Choices{Items: out}
		return []*Choices{choices[key]}
	}
	env.ReadFile = func(_ syntax.Pos, name string) ([]byte, error) {
		if text, ok := b.files[name]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}
	env.Path = func(_ syntax.Pos, name string) string { return "files/" + name }
	if env.prepare(); b.wide {
		env.reach.least, env.reach.most = 0, 0
	}
	var groups []string
	if b.pattern != nil {
		groups = append([]string{""}, b.pattern...)
	}
	return New(&env, f.Items[0], groups)
}

func (b *bench) name(tm *Template) Name {
	n := Name{Text: "t", IPv6: b.values.IP.Is6()}
	if b.pattern != nil {
		n.Captures, n.Given = append([]string{"t"}, b.captures...), []bool{true}
		for _, text := range b.captures {
			n.Text, n.Given = n.Text+text, append(n.Given, true)
		}
		n.Captures[0] = n.Text
	}
	for _, i := range tm.Structural() {
		v, _ := b.record.Get(i)
		n.Keys = append(n.Keys, v)
	}
	return n
}

var secret = mic.NewSecret([]byte("DOCSIS"))

// render makes the file, or returns the fault.
func (b *bench) render(t testing.TB) ([]byte, *Fault) {
	t.Helper()
	tm, err := b.template(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.src)
	}
	return b.made(t, tm)
}

// made is what tm makes, whether what the name gives is constant or fills slots.
func (b *bench) made(t testing.TB, tm *Template) ([]byte, *Fault) {
	t.Helper()
	b.values.Attrs = b.record
	n := b.name(tm)
	b.values.Name, b.values.Groups = []byte(n.Text), nil
	if b.pattern != nil {
		at := 1
		b.values.Groups = []int{0, len(n.Text)}
		for _, text := range b.captures {
			b.values.Groups = append(b.values.Groups, at, at+len(text))
			at += len(text)
		}
	}
	s, fault := tm.Specialize(n)
	file, fault := b.signed(t, s, fault)
	kind, fixed, unlike := tm.Learn(n)
	if _, again, _ := tm.Learn(n); again != fixed {
		t.Errorf("groups %b were fixed, then %b\n%s", fixed, again, b.src)
	}
	same, unlike := b.signed(t, kind, unlike)
	if unlike == Unfit {
		return file, fault
	}
	if !bytes.Equal(same, file) || (unlike == nil) != (fault == nil) || fault != nil && *unlike != *fault {
		t.Errorf("as a constant and as a slot differ: %v, %v\n%x\n%x\n%s", fault, unlike, file, same, b.src)
	}
	return file, fault
}

// signed renders a skeleton.
func (b *bench) signed(t testing.TB, s *Skeleton, fault *Fault) ([]byte, *Fault) {
	t.Helper()
	if fault != nil {
		return nil, fault
	}
	var sc Scratch
	file, fault := s.Build(nil, &b.values, &sc)
	if fault != nil {
		return nil, fault
	}
	file, fault = s.Sign(file, secret, &sc)
	if fault == nil && s.Static() && !bytes.Equal(file, s.File(secret)) {
		t.Errorf("a static file comes out in two ways:\n%x\n%x\n%s", file, s.File(secret), b.src)
	}
	return file, fault
}

var (
	modem4 = Values{
		Now: 1700000000e9, IP: netip.MustParseAddr("198.18.5.9"), Server: netip.MustParseAddr("198.18.0.1"),
		MAC: [6]byte{0x0a, 1, 2, 3, 4, 5},
	}
	modem6 = Values{
		Now: 1700000000e9, IP: netip.MustParseAddr("fd00::9"), Server: netip.MustParseAddr("fd00::1"),
		MAC: [6]byte{0x0a, 1, 2, 3, 4, 5},
	}
)

// signed returns the whole file of TLVs in hexadecimal.
func signed(t *testing.T, tlvs string) []byte {
	t.Helper()
	body, err := hex.DecodeString(tlvs)
	if err != nil {
		t.Fatal(err)
	}
	file, err := mic.Sign(body, secret)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// file renders, and returns nil where the template is not even loaded.
func (b *bench) file(t *testing.T) []byte {
	if _, err := b.template(t); err != nil {
		return nil
	}
	file, _ := b.render(t)
	return file
}
