package main

import (
	"bytes"
	"os"
	"reflect"
	"testing"

	"dcs/render/ber"
	"dcs/render/ber/mib"
)

var tables = []string{"../data/objects.csv.gz", "../data/derived.csv"}

// The committed index must be what the committed tables give.
func TestIndexIsCurrent(t *testing.T) {
	want, err := generate(tables)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../index.bin")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("index.bin is out of date: run go generate ./render/ber/mib")
	}
	if len(got) > 2_500_000 {
		t.Errorf("index.bin has %d octets, more than 2.5 MB", len(got))
	}
}

// Every row of the tables must be found in the index by module and label, unchanged.
func TestEveryRow(t *testing.T) {
	x := mib.Default()
	ambiguous := map[string]bool{}
	seen := map[string]string{}
	n := 0
	for _, name := range tables {
		objects, err := readTable(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range objects {
			want := &objects[i]
			n++
			name := want.Label
			if want.Module != "" {
				name = want.Module + "::" + name
			}
			ref, err := x.Resolve(name)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(ref.Object, want) {
				// Two editions of one module differ in this object.
				if name != "DOCS-BPI-MIB::docsBpiCmAuthState" {
					t.Errorf("%s:\n got %+v\nwant %+v", name, *ref.Object, *want)
				}
			}
			oid := want.OID.String()
			if have, ok := seen[want.Label]; ok && have != oid {
				ambiguous[want.Label] = true
			}
			seen[want.Label] = oid
			if back, err := x.Resolve(x.Name(want.OID)); err != nil || back.OID.String() != oid {
				t.Errorf("Name(%s) = %s, which is %v, %v", oid, x.Name(want.OID), back.OID, err)
			}
		}
	}
	// The figures that the tables' makers counted, less the two made-up labels.
	if n != 27612+36-2 || len(seen) != 26592+36-2 || len(ambiguous) != 348 {
		t.Errorf("%d rows, %d labels, %d ambiguous", n, len(seen), len(ambiguous))
	}
}

func TestObject(t *testing.T) {
	got, err := object(map[string]string{
		"label": "x", "oid": "1.3.6.1.2", "module": "M", "kind": "row",
		"index": "a IMPLIED b", "enums": "up(1) down(-2)", "range": "0..5|8", "syntax": "",
	})
	want := mib.Object{
		Label: "x", Module: "M", OID: ber.OID{1, 3, 6, 1, 2}, Kind: mib.Row,
		Index: []string{"a", "b"}, Implied: true,
		Enums: []mib.Enum{{Label: "up", Value: 1}, {Label: "down", Value: -2}}, Ranges: []mib.Range{{Min: 0, Max: 5}, {Min: 8, Max: 8}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("object = %+v, %v, want %+v", got, err, want)
	}
	for _, f := range []map[string]string{
		{"oid": "1.x", "kind": "node"},
		{"oid": "1.3", "kind": "leaf"},
		{"oid": "1.3", "kind": "node", "syntax": "Float"},
		{"oid": "1.3", "kind": "node", "enums": "up"},
		{"oid": "1.3", "kind": "node", "range": "0..x"},
	} {
		if o, err := object(f); err == nil {
			t.Errorf("object(%v) = %+v, want an error", f, o)
		}
	}
}
