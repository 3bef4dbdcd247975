package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dcs/bench/require"
	"dcs/render/ber/mib"
)

// debian is where the package libsnmp-base has modules of net-snmp; those of the IETF that they import are not in Debian.
const debian = "/usr/share/snmp/mibs"

// imported are the modules that Debian's import.
var imported = []string{"SNMPv2-SMI", "SNMPv2-TC", "SNMPv2-CONF", "SNMP-FRAMEWORK-MIB", "SNMP-VIEW-BASED-ACM-MIB", "INET-ADDRESS-MIB", "HCNUM-TC"}

// The index that is made from a folder of modules is what net-snmp reads in them.
func TestFolder(t *testing.T) {
	require.Program(t, "snmptranslate")
	dir := t.TempDir()
	files, err := filepath.Glob(debian + "/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no modules (package libsnmp-base): %v", debian, err)
	}
	ours := map[string]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		ours[strings.TrimSuffix(filepath.Base(name), ".txt")] = true
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range imported {
		if err := os.WriteFile(filepath.Join(dir, name+".txt"), []byte(moduleText(name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := generate([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	x, err := mib.Open(string(data))
	if err != nil {
		t.Fatal(err)
	}
	var objects []mib.Object
	var names []string
	for o := range x.Objects() {
		if ours[o.Module] {
			objects, names = append(objects, o), append(names, o.OID.String())
		}
	}
	told := describe(t, dir, names)
	compared := 0
	for i := range objects {
		if compared++; told[i] != facts(&objects[i]) {
			t.Errorf("%s:\nthe index has %s\nnet-snmp reads %s", names[i], facts(&objects[i]), told[i])
		}
	}
	// By another way: what net-snmp lists, so that nothing is left out.
	list := run(t, dir, "-Tz")
	for _, m := range regexp.MustCompile(`(?m)^"([A-Za-z][A-Za-z0-9-]*)"\s+"([0-9.]+)"`).FindAllStringSubmatch(list, -1) {
		if !slices.ContainsFunc(x.Labelled(m[1]), func(o *mib.Object) bool { return o.OID.String() == m[2] }) {
			t.Errorf("net-snmp knows %s as %s; the index does not", m[1], m[2])
		}
	}
	if compared < 400 {
		t.Errorf("%d objects of Debian's modules were compared", compared)
	}
}

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("snmptranslate", append([]string{"-M", dir, "-m", "ALL", "-Pu"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return string(out)
}

// describe returns what snmptranslate tells of objects, in the form of facts.
func describe(t *testing.T, dir string, oids []string) []string {
	t.Helper()
	args := []string{"-Td", "-On"}
	for _, oid := range oids {
		args = append(args, "."+oid)
	}
	parts := strings.Split("\n"+run(t, dir, args...), "\n.1")[1:]
	if len(parts) != len(oids) {
		t.Fatalf("%d answers to %d questions", len(parts), len(oids))
	}
	field := func(text, pattern string) string {
		m := regexp.MustCompile(`(?m)^\s*` + pattern).FindStringSubmatch(text)
		if m == nil {
			return ""
		}
		return strings.TrimSpace(m[1])
	}
	var out []string
	for _, p := range parts {
		head := regexp.MustCompile(`(?m)^([A-Za-z][A-Za-z0-9-]*) (OBJECT-TYPE|OBJECT-IDENTITY|OBJECT IDENTIFIER|MODULE-IDENTITY|NOTIFICATION-TYPE|OBJECT-GROUP|NOTIFICATION-GROUP|MODULE-COMPLIANCE|TRAP-TYPE|AGENT-CAPABILITIES)?`).FindStringSubmatch(p)
		label := ""
		if head != nil {
			label = head[1]
		}
		index := field(p, `(?:INDEX|AUGMENTS)\s+\{ ([^}]*) \}`)
		syntax := strings.Join(strings.Fields(field(p, `SYNTAX\s+([^{\n]*(?:\{[^}]*\})?)`)), " ")
		syntax = strings.Replace(syntax, "INTEGER", "Integer32", 1) // one type, to the index
		if strings.HasPrefix(syntax, "Opaque") {                    // it writes the octets of a SIZE in another way
			syntax = "Opaque"
		}
		out = append(out, fmt.Sprintf("%s, type %s, syntax %s, access %s, index %s", label, field(p, `-- TEXTUAL CONVENTION (\S+)`), syntax, field(p, `MAX-ACCESS\s+(.*)`), strings.Join(strings.Fields(index), " ")))
	}
	return out
}

// facts returns an object in the words of snmptranslate -Td.
func facts(o *mib.Object) string {
	syntax := ""
	switch {
	case o.Kind == mib.Scalar || o.Kind == mib.Column:
		syntax = netSNMP(o)
	}
	index := strings.Join(o.Index, ", ")
	if o.Implied {
		index = strings.Join(slices.Concat(o.Index[:len(o.Index)-1], []string{"IMPLIED " + o.Index[len(o.Index)-1]}), ", ")
	}
	if o.Augments != "" {
		index = o.Augments
	}
	return fmt.Sprintf("%s, type %s, syntax %s, access %s, index %s", o.Label, o.TC, syntax, o.Access, index)
}

// netSNMP returns a syntax as net-snmp writes it.
func netSNMP(o *mib.Object) string {
	s := o.Syntax.String()
	switch s {
	case "OctetString":
		s = "OCTET STRING"
	case "ObjectIdentifier":
		s = "OBJECT IDENTIFIER"
	}
	if len(o.Enums) > 0 {
		var list []string
		for _, e := range o.Enums {
			list = append(list, fmt.Sprintf("%s(%d)", e.Label, e.Value))
		}
		return s + " {" + strings.Join(list, ", ") + "}"
	}
	var list []string
	for _, r := range o.Ranges {
		if r.Min == r.Max {
			list = append(list, fmt.Sprint(r.Min))
		} else {
			list = append(list, fmt.Sprintf("%d..%d", r.Min, r.Max))
		}
	}
	if len(list) > 0 && o.Syntax != mib.Opaque {
		s += " (" + strings.Join(list, " | ") + ")"
	}
	return s
}

// moduleText writes a module of the built-in index as a text in SMIv2: its types, nodes and objects.
func moduleText(module string) string {
	x := mib.Default()
	var b strings.Builder
	fmt.Fprintf(&b, "%s DEFINITIONS ::= BEGIN\n", module)
	from := map[string]string{} // imported names, and their modules
	own := map[string]bool{}
	var body strings.Builder
	name := func(n, of string) string {
		if n != "" && of != module {
			from[n] = of
		}
		return n
	}
	base := map[string]string{
		"OctetString": "OCTET STRING", "ObjectIdentifier": "OBJECT IDENTIFIER", "IPAddress": "IpAddress",
	}
	syntax := func(s mib.Syntax, enums []mib.Enum, ranges []mib.Range) string {
		text, known := base[s.String()]
		if !known {
			text = s.String()
		}
		if text != "OCTET STRING" && text != "OBJECT IDENTIFIER" && len(enums) == 0 {
			name(text, "SNMPv2-SMI")
		}
		switch {
		case len(enums) > 0 && s == mib.OctetString:
			text = "BITS { "
		case len(enums) > 0:
			text = "INTEGER { "
		}
		for i, e := range enums {
			if i > 0 {
				text += ", "
			}
			text += fmt.Sprintf("%s(%d)", e.Label, e.Value)
		}
		if len(enums) > 0 {
			return text + " }"
		}
		var list []string
		for _, r := range ranges {
			list = append(list, fmt.Sprintf("%d..%d", r.Min, r.Max))
		}
		switch all := strings.Join(list, " | "); {
		case all == "":
		case s == mib.OctetString:
			text += " (SIZE (" + all + "))"
		default:
			text += " (" + all + ")"
		}
		return text
	}
	for ty := range x.Types() {
		if ty.Module != module || module == "SNMPv2-SMI" {
			continue
		}
		own[ty.Name] = true
		fmt.Fprintf(&body, "%s ::= TEXTUAL-CONVENTION\n", ty.Name)
		if ty.Hint != "" {
			fmt.Fprintf(&body, "\tDISPLAY-HINT %q\n", ty.Hint)
		}
		fmt.Fprintf(&body, "\tSTATUS current\n\tDESCRIPTION \"\"\n\tSYNTAX %s\n", syntax(ty.Syntax, ty.Enums, ty.Ranges))
	}
	parent := func(o *mib.Object) (label string) {
		for _, row := range x.Under(o.OID[:len(o.OID)-1]) {
			if len(row.OID) == len(o.OID)-1 {
				return name(row.Label, row.Module)
			}
		}
		above, _, _ := x.Lookup(o.OID[:len(o.OID)-1])
		return name(above.Label, above.Module)
	}
	for o := range x.Objects() {
		if o.Module != module {
			continue
		}
		last := o.OID[len(o.OID)-1]
		switch o.Kind {
		case mib.Scalar, mib.Column, mib.Table, mib.Row:
			text := ""
			switch o.Kind {
			case mib.Table:
				text = "SEQUENCE OF " + strings.ToUpper(o.Label[:1]) + o.Label[1:]
			case mib.Row:
				text = strings.ToUpper(o.Label[:1]) + o.Label[1:]
			default:
				if text = o.TC; text == "" {
					text = syntax(o.Syntax, o.Enums, o.Ranges)
				} else {
					for _, ty := range x.TypesOf(o.TC) {
						if slices.Contains(imported, ty.Module) {
							name(o.TC, ty.Module)
						}
					}
				}
			}
			fmt.Fprintf(&body, "%s OBJECT-TYPE\n\tSYNTAX %s\n\tMAX-ACCESS %s\n\tSTATUS current\n\tDESCRIPTION \"\"\n", o.Label, text, o.Access)
			if len(o.Index) > 0 {
				fmt.Fprintf(&body, "\tINDEX { %s }\n", strings.Join(o.Index, ", "))
			}
			fmt.Fprintf(&body, "\t::= { %s %d }\n", parent(&o), last)
		default:
			if len(o.OID) > 1 {
				fmt.Fprintf(&body, "%s OBJECT IDENTIFIER ::= { %s %d }\n", o.Label, parent(&o), last)
			}
		}
	}
	if module != "SNMPv2-SMI" {
		from["OBJECT-TYPE"] = "SNMPv2-SMI"
		if module != "SNMPv2-TC" {
			from["TEXTUAL-CONVENTION"] = "SNMPv2-TC"
		}
		b.WriteString("IMPORTS\n")
		for n, of := range from {
			if of != "" && !own[n] {
				fmt.Fprintf(&b, "\t%s FROM %s\n", n, of)
			}
		}
		b.WriteString("\t;\n")
	}
	return b.String() + body.String() + "END\n"
}
