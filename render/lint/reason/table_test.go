package reason

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/tlv"
)

// words returns every row of the tables.
func words() []Word {
	var out []Word
	for _, t := range [][]state{states, keyStates, logStates, mtaStates} {
		for i := range t {
			out = append(out, t[i].Word)
		}
	}
	for i := range codes {
		w := codes[i].Word
		w.Text = "code " + strconv.Itoa(codes[i].numbers[0])
		out = append(out, w)
	}
	for i, w := range keyErrors {
		w.Text = "BPKM " + strconv.Itoa(i)
		out = append(out, w)
	}
	for i := range events {
		w := events[i].Word
		w.Text = strconv.Itoa(events[i].from)
		out = append(out, w)
	}
	return out
}

// Each row can be reached, has causes that differ, and reads like the others.
func TestTable(t *testing.T) {
	for _, w := range words() {
		if w.Text == strconv.Itoa(EventID('I', 4, 0)) { // the row of all that I04.1 to .3 leave
			continue
		}
		got, err := Parse(w.Text)
		if err != nil || got.Meaning != w.Meaning {
			t.Errorf("%q leads to %q, %v", w.Text, got.Meaning, err)
		}
		if len(w.causes) == 0 && w.Meaning != "success" {
			t.Errorf("%s has no cause", w.Text)
		}
		var seen []string
		for _, c := range w.causes {
			if slices.Contains(seen, c.text) {
				t.Errorf("%s: %q stands twice", w.Text, c.text)
			}
			if seen = append(seen, c.text); c.text == "" || c.remedy == "" || strings.HasSuffix(c.text, ".") || strings.HasSuffix(c.remedy, ".") {
				t.Errorf("%s: cause %q, remedy %q", w.Text, c.text, c.remedy)
			}
			for _, want := range strings.Fields(c.tlvs) {
				d := tlv.Root(tlv.CM)
				for _, code := range strings.Split(strings.TrimSuffix(strings.TrimSuffix(want, "=0"), ">0"), ".") {
					n, err := strconv.ParseUint(code, 10, 8)
					child, ok := d.ChildByCode(uint8(n))
					if err != nil || !ok {
						t.Fatalf("%s: no TLV %s", w.Text, want)
					}
					d = child
				}
			}
		}
	}
}

// Numbers and labels of objects are those of their modules, and each label leads to a state.
func TestObjects(t *testing.T) {
	for i := range objects {
		o := &objects[i]
		name := strings.Fields(o.names)[0]
		for n, label := range o.labels {
			if w, err := Parse(label); err != nil {
				t.Errorf("%s: %s: %v", name, label, err)
			} else if v, err := Parse(name + " " + strconv.Itoa(n)); err != nil || v.Text != w.Text {
				t.Errorf("%s %d is %q, %s is %q, %v", name, n, v.Text, label, w.Text, err)
			}
		}
		if name == "CDX" {
			continue // not among the built-in modules
		}
		if name == "pktcMtaDevProvisioningState" {
			name = "PKTC-IETF-MTA-MIB::" + name
		}
		ref, err := mib.Default().Resolve(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for n, label := range o.labels {
			if e := ref.Object.Enums; !slices.ContainsFunc(e, func(e mib.Enum) bool { return int(e.Value) == n && e.Label == label }) {
				t.Errorf("%s has no %s(%d): %v", name, label, n, e)
			}
		}
	}
}
