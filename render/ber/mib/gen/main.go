// Command gen builds the MIB index embedded in the program from tables of objects.
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

// generate reads the tables, .csv or .csv.gz, and returns the index.
func generate(files []string) ([]byte, error) {
	// The roots are defined by the standard itself (X.660, clause 7) and in no module.
	objects := []mib.Object{
		{Label: "ccitt", OID: ber.OID{0}},
		{Label: "iso", OID: ber.OID{1}},
		{Label: "joint-iso-ccitt", OID: ber.OID{2}},
	}
	for _, name := range files {
		more, err := readTable(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, more...)
	}
	return mib.Build(objects)
}

func readTable(name string) ([]mib.Object, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if filepath.Ext(name) == ".gz" {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	table := csv.NewReader(r)
	head, err := table.Read()
	if err != nil {
		return nil, err
	}
	var objects []mib.Object
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		fields := map[string]string{}
		for i, column := range head {
			fields[column] = record[i]
		}
		// net-snmp's parser invents a node for the zero in a trap's OID; its name is not a label.
		if strings.HasSuffix(fields["label"], "#") {
			continue
		}
		o, err := object(fields)
		if err != nil {
			line, _ := table.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		objects = append(objects, o)
	}
}

func object(f map[string]string) (o mib.Object, err error) {
	o = mib.Object{Label: f["label"], Module: f["module"], TC: f["tc"], Access: f["access"], Status: f["status"]}
	if o.OID, err = ber.ParseOID(f["oid"]); err != nil {
		return o, err
	}
	for o.Kind.String() != f["kind"] {
		if o.Kind++; o.Kind > mib.Notification {
			return o, fmt.Errorf("kind %q", f["kind"])
		}
	}
	syntax := f["syntax"]
	for o.Syntax.String() != syntax {
		if o.Syntax++; o.Syntax > mib.Opaque {
			return o, fmt.Errorf("syntax %q", syntax)
		}
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
		if r.Max, err = strconv.ParseInt(hi, 10, 64); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}
