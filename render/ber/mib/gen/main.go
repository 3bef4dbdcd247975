// Command gen builds the MIB index embedded in the program from tables of objects and types, or from directories of modules.
package main

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dcs/render/ber"
	"dcs/render/ber/mib"
)

func main() {
	log.SetFlags(0)
	out := flag.String("o", "index.bin", "the file to write")
	flag.Parse()
	index, err := generate(flag.Args())
	if err == nil {
		err = os.WriteFile(*out, index, 0o644)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// generate reads the inputs, tables (.csv, .csv.gz) and then directories of modules, and returns the index. A row of a later table
// replaces one of the same label, OID and module: a newer edition of the module describes the object. Rows that later tables add are
// marked as such.
func generate(inputs []string) ([]byte, error) {
	var objects []mib.Object
	var types []mib.Type
	var modules []string
	place := map[string]int{}
	for _, name := range inputs {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			modules = append(modules, name)
			continue
		}
		table, more, err := readTable(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		types = append(types, more...)
		var fresh []mib.Object
		for i := range table {
			o := &table[i]
			o.Later = len(place) > 0
			if at, old := place[key(o)]; old {
				o.Later = objects[at].Later
				objects[at] = *o
			} else {
				fresh = append(fresh, *o)
			}
		}
		// Within one table every row stands: two editions of a module can differ.
		for i := range fresh {
			place[key(&fresh[i])] = len(objects)
			objects = append(objects, fresh[i])
		}
	}
	if len(modules) == 0 {
		return mib.Build(append(objects, roots()...), types)
	}
	data, err := mib.Build(append(objects, roots()...), types)
	if err != nil {
		return nil, err
	}
	base, err := mib.Open(string(data))
	if err != nil {
		return nil, err
	}
	x, err := mib.Load(base, modules)
	if err != nil {
		return nil, err
	}
	for _, w := range x.Warnings() {
		log.Print(w)
	}
	return mib.Build(slices.Collect(x.Objects()), slices.Collect(x.Types()))
}

// roots are defined by the standard itself (X.660, clause 7) and in no module.
func roots() []mib.Object {
	return []mib.Object{
		{Label: "ccitt", OID: ber.OID{0}},
		{Label: "iso", OID: ber.OID{1}},
		{Label: "joint-iso-ccitt", OID: ber.OID{2}},
	}
}

func key(o *mib.Object) string { return o.Label + " " + o.Module + " " + o.OID.String() }

// readTable reads a table of objects, or one of types.
func readTable(name string) (objects []mib.Object, types []mib.Type, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if filepath.Ext(name) == ".gz" {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, nil, err
		}
	}
	table := csv.NewReader(r)
	head, err := table.Read()
	if err != nil {
		return nil, nil, err
	}
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			return objects, types, nil
		}
		if err != nil {
			return nil, nil, err
		}
		fields := map[string]string{}
		for i, column := range head {
			fields[column] = record[i]
		}
		if _, isObject := fields["label"]; isObject {
			// net-snmp's parser invents a node for the zero in a trap's OID; its name is not a label.
			if strings.HasSuffix(fields["label"], "#") {
				continue
			}
			var o mib.Object
			o, err = object(fields)
			objects = append(objects, o)
		} else {
			var t mib.Type
			t, err = typeOf(fields)
			types = append(types, t)
		}
		if err != nil {
			line, _ := table.FieldPos(0)
			return nil, nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
}

func typeOf(f map[string]string) (t mib.Type, err error) {
	t = mib.Type{Name: f["name"], Module: f["module"], Hint: f["hint"], Parent: f["parent"], Status: f["status"]}
	if t.Syntax, err = syntax(f["syntax"]); err != nil {
		return t, err
	}
	if t.Enums, err = enums(f["enums"]); err != nil {
		return t, err
	}
	t.Ranges, err = ranges(f["range"])
	return t, err
}

func syntax(name string) (s mib.Syntax, err error) {
	for s.String() != name {
		if s++; s > mib.Opaque {
			return s, fmt.Errorf("syntax %q", name)
		}
	}
	return s, nil
}

func object(f map[string]string) (o mib.Object, err error) {
	o = mib.Object{Label: f["label"], Module: f["module"], TC: f["tc"], Access: f["access"], Status: f["status"], Edition: f["edition"]}
	if o.OID, err = ber.ParseOID(f["oid"]); err != nil {
		return o, err
	}
	for o.Kind.String() != f["kind"] {
		if o.Kind++; o.Kind > mib.Notification {
			return o, fmt.Errorf("kind %q", f["kind"])
		}
	}
	if o.Syntax, err = syntax(f["syntax"]); err != nil {
		return o, err
	}
	if o.Enums, err = enums(f["enums"]); err != nil {
		return o, err
	}
	if o.Ranges, err = ranges(f["range"]); err != nil {
		return o, err
	}
	for _, name := range strings.Fields(f["index"]) {
		switch {
		case name == "IMPLIED":
			o.Implied = true
		case strings.HasPrefix(f["index"], "AUGMENTS "):
			o.Augments = strings.TrimPrefix(f["index"], "AUGMENTS ")
		default:
			o.Index = append(o.Index, name)
		}
	}
	return o, nil
}

var enumPattern = regexp.MustCompile(`^(.+)\((-?[0-9]+)\)$`)

func enums(s string) (list []mib.Enum, err error) {
	for _, item := range strings.Fields(s) {
		m := enumPattern.FindStringSubmatch(item)
		if m == nil {
			return nil, fmt.Errorf("enumeration %q", item)
		}
		v, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return nil, err
		}
		list = append(list, mib.Enum{Label: m[1], Value: v})
	}
	return list, nil
}

func ranges(s string) (list []mib.Range, err error) {
	if s == "" {
		return nil, nil
	}
	for item := range strings.SplitSeq(s, "|") {
		lo, hi, found := strings.Cut(item, "..")
		if !found {
			hi = lo
		}
		var r mib.Range
		if r.Min, err = strconv.ParseInt(lo, 10, 64); err != nil {
			return nil, err
		}
		// Counter64 reaches further, which becomes the largest int64, as in a module.
		if r.Max, err = strconv.ParseInt(hi, 10, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}
