package main

import (
	"bytes"
	"os"
	"reflect"
	"testing"

	"dcs/render/ber"
	"dcs/render/ber/mib"
)

var tables = []string{"../data/objects.csv.gz", "../data/newer.csv.gz", "../data/types.csv.gz"}

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
	if len(got) > 5_000_000 {
		t.Errorf("index.bin has %d octets, more than 5 MB", len(got))
	}
}

// Every row of the tables must be found in the index by module and label, unchanged: that of the first table, where a
// label moved within its module.
func TestEveryRow(t *testing.T) {
	x := mib.Default()
	meant, first := map[string]mib.Object{}, map[string]bool{}
	oids, seen := map[string]map[string]bool{}, 0
	for i, name := range tables[:2] {
		objects, _, err := readTable(name)
		if err != nil {
			t.Fatal(err)
		}
		if want := []int{27612 - 2, 26336}[i]; len(objects) != want { // as their makers counted them, less two made-up labels
			t.Errorf("%s: %d rows, want %d", name, len(objects), want)
		}
		for _, o := range objects {
			seen++
			name := o.Module + "::" + o.Label
			first[key(&o)] = first[key(&o)] || i == 0
			o.Later = !first[key(&o)]
			if have, ok := meant[name]; !ok || have.Later && !o.Later || have.Later == o.Later && o.Edition > have.Edition {
				meant[name] = o
			}
			if oids[o.Label] == nil {
				oids[o.Label] = map[string]bool{}
			}
			oids[o.Label][o.OID.String()] = true
			if back, err := x.Resolve(x.Name(o.OID)); err != nil || back.OID.String() != o.OID.String() {
				t.Errorf("Name(%v) = %s, which is %v, %v", o.OID, x.Name(o.OID), back.OID, err)
			}
		}
	}
	for name, want := range meant {
		ref, err := x.Resolve(name)
		if err != nil {
			t.Fatal(err)
		}
		// Two editions of a module differ in one object, and one module gives a label three OIDs.
		if !reflect.DeepEqual(*ref.Object, want) && name != "DOCS-BPI-MIB::docsBpiCmAuthState" && name != "BRCM-CM-CAPABILITY-MIB::cmDocsis20AgentCapability" {
			t.Errorf("%s:\n got %+v\nwant %+v", name, *ref.Object, want)
		}
	}
	ambiguous := 0
	for _, of := range oids {
		if len(of) > 1 {
			ambiguous++
		}
	}
	if len(oids) != 26592-2+25447 || ambiguous < 496 {
		t.Errorf("%d labels, %d ambiguous", len(oids), ambiguous)
	}
}

// Every type must be found with its module.
func TestEveryType(t *testing.T) {
	_, types, err := readTable(tables[2])
	if err != nil || len(types) != 1483 {
		t.Fatalf("%d types, %v", len(types), err)
	}
	x := mib.Default()
	for _, want := range types {
		found := false
		for _, have := range x.TypesOf(want.Name) {
			found = found || reflect.DeepEqual(have, want)
		}
		if !found {
			t.Errorf("%s::%s: got %+v, want %+v", want.Module, want.Name, x.TypesOf(want.Name), want)
		}
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
