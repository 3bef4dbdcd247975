package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cli"
	"dcs/render/ber"
	"dcs/render/ber/mib"
)

// mostListed is the largest number of objects that a prefix lists.
const mostListed = 1000

func mibCommand(e cli.Env) *cobra.Command {
	var names assemble.MIBNames
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "mib NAME…",
		Short: "Show what SNMP objects are: type, range, access, index, module",
		Long: `Show what SNMP objects are: type, range, named values, access, index, module and OID, as
templates know them. A name is a label, MODULE::label, or an OID in numbers; an instance
may follow. A label with several OIDs shows all, first the one that a template means. An
object with others under it lists them, and so does the beginning of labels.

The exit status is 1 if a name is not known.`,
		Example: `  dcs mib docsDevNmAccessStatus
  dcs mib 1.3.6.1.2.1.69.1.2
  dcs mib clabWIFI --json | jq '.[].label'`,
		Args: cli.Arguments(1, -1),
		RunE: func(_ *cobra.Command, args []string) error {
			index, err := loadNames(e, &names)
			if err != nil {
				return err
			}
			v := mibView{index: index}
			var reported error
			for _, name := range args {
				if err := v.find(name); err != nil {
					report(e, err)
					reported = cli.ErrReported
				}
			}
			if asJSON {
				enc := json.NewEncoder(e.Stdout)
				enc.SetIndent("", "  ")
				err = enc.Encode(v.items())
			} else {
				_, err = io.WriteString(e.Stdout, v.text())
			}
			if err != nil {
				return err
			}
			return reported
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print a JSON array of objects")
	names.AddFlags(f)
	return cmd
}

// mibView shows objects.
type mibView struct {
	index *mib.Index
	found []mibItem
}

// mibItem is an object to show, in full or as a line of a list.
type mibItem struct {
	*mib.Object
	instance ber.OID
	note     string
	also     []string // other modules that have the object at the same OID
	listed   bool
}

// find adds what a name stands for.
func (v *mibView) find(name string) error {
	ref, err := v.index.Resolve(name)
	if err == nil && ref.Object != nil {
		note := ref.Note
		meant := mibItem{Object: ref.Object, instance: ref.Instance}
		var others []mibItem
		for _, o := range v.index.Labelled(name) {
			switch {
			case o.OID.String() != ref.Object.OID.String():
				others = append(others, mibItem{Object: o, instance: ref.Instance})
			case o.Module != ref.Object.Module:
				meant.also = append(meant.also, o.Module)
			}
		}
		if len(others) > 0 && note == "" {
			note = "templates mean this one"
		}
		meant.note = note
		v.found = append(append(v.found, meant), others...)
		if len(ref.Instance) == 0 {
			for _, o := range v.index.Under(ref.OID) {
				v.found = append(v.found, mibItem{Object: o, listed: true})
			}
		}
		return nil
	}
	if several := v.index.Labelled(name); err != nil && len(several) > 0 {
		for _, o := range several {
			v.found = append(v.found, mibItem{Object: o, note: "ambiguous: write " + o.Module + "::" + o.Label + ", or name a module in mib_prefer"})
		}
		return nil
	}
	some := v.index.Beginning(name, mostListed)
	if len(some) == 0 || name == "" {
		if err == nil {
			err = fmt.Errorf("%s: no object is known there", name)
		}
		return err
	}
	for i, o := range some {
		if i == 0 || o.Label != some[i-1].Label || o.OID.String() != some[i-1].OID.String() {
			v.found = append(v.found, mibItem{Object: o, listed: true})
		}
	}
	return nil
}

// text shows what was found, for people.
func (v *mibView) text() string {
	var b strings.Builder
	for i, item := range v.found {
		if item.listed {
			fmt.Fprintf(&b, "%-40s %-12s %s\n", item.Label, item.Kind, item.OID)
			continue
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		v.describe(&b, &item)
	}
	return b.String()
}

func (v *mibView) describe(b *strings.Builder, item *mibItem) {
	o := item.Object
	fmt.Fprintf(b, "%s  %s\n", o.Label, o.OID)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "  %-9s %s\n", name, value)
		}
	}
	module := o.Module
	if len(o.Edition) == 12 {
		module += " of " + o.Edition[:4] + "-" + o.Edition[4:6] + "-" + o.Edition[6:8]
	}
	row("note", item.note)
	row("module", module)
	row("also in", strings.Join(item.also, ", "))
	row("path", v.index.Path(o.OID))
	row("kind", o.Kind.String())
	row("type", typeText(o))
	for _, t := range v.index.TypesOf(o.TC) {
		if t.Module == o.Module || len(v.index.TypesOf(o.TC)) == 1 {
			row("hint", t.Hint)
		}
	}
	for _, n := range o.Enums {
		row("", fmt.Sprintf("%s(%d)", n.Label, n.Value))
	}
	row("access", o.Access)
	row("status", o.Status)
	row("index", v.indexText(o))
	row("instance", item.instance.String())
}

// typeText returns the type of an object as in its module, such as "DisplayString: OctetString (SIZE 0..255)".
func typeText(o *mib.Object) string {
	if o.Syntax == mib.NoSyntax {
		return o.TC
	}
	text := o.Syntax.String()
	if o.TC != "" {
		text = o.TC + ": " + text
	}
	if len(o.Ranges) == 0 {
		return text
	}
	var parts []string
	for _, r := range o.Ranges {
		if r.Min == r.Max {
			parts = append(parts, fmt.Sprint(r.Min))
		} else {
			parts = append(parts, fmt.Sprintf("%d..%d", r.Min, r.Max))
		}
	}
	size := ""
	if o.Syntax == mib.OctetString {
		size = "SIZE "
	}
	return text + " (" + size + strings.Join(parts, " | ") + ")"
}

func (v *mibView) indexText(o *mib.Object) string {
	objects, implied, known := v.index.IndexOf(o)
	if !known {
		return ""
	}
	var parts []string
	for i, x := range objects {
		if x == nil {
			parts = append(parts, "?")
			continue
		}
		text := x.Label + " " + typeText(x)
		if implied && i == len(objects)-1 {
			text = "IMPLIED " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// objectJSON is an object in JSON.
type objectJSON struct {
	Label    string     `json:"label"`
	OID      string     `json:"oid"`
	Module   string     `json:"module,omitempty"`
	Edition  string     `json:"edition,omitempty"`
	Also     []string   `json:"also,omitempty"`
	Kind     string     `json:"kind"`
	Path     string     `json:"path"`
	Syntax   string     `json:"syntax,omitempty"`
	Type     string     `json:"type,omitempty"`
	Enums    []enumJSON `json:"enums,omitempty"`
	Ranges   [][2]int64 `json:"ranges,omitempty"`
	Access   string     `json:"access,omitempty"`
	Status   string     `json:"status,omitempty"`
	Index    []string   `json:"index,omitempty"`
	Implied  bool       `json:"implied,omitempty"`
	Instance string     `json:"instance,omitempty"`
	Note     string     `json:"note,omitempty"`
}

type enumJSON struct {
	Label string `json:"label"`
	Value int64  `json:"value"`
}

// items returns what was found, for JSON.
func (v *mibView) items() []objectJSON {
	all := []objectJSON{}
	for _, item := range v.found {
		o := item.Object
		j := objectJSON{
			Label: o.Label, OID: o.OID.String(), Module: o.Module, Edition: o.Edition, Also: item.also, Kind: o.Kind.String(), Path: v.index.Path(o.OID),
			Syntax: o.Syntax.String(), Type: o.TC, Access: o.Access, Status: o.Status, Instance: item.instance.String(), Note: item.note,
		}
		for _, n := range o.Enums {
			j.Enums = append(j.Enums, enumJSON{n.Label, n.Value})
		}
		for _, r := range o.Ranges {
			j.Ranges = append(j.Ranges, [2]int64{r.Min, r.Max})
		}
		index, implied, _ := v.index.IndexOf(o)
		for _, x := range index {
			if x != nil {
				j.Index = append(j.Index, x.Label)
			}
		}
		j.Implied = implied
		all = append(all, j)
	}
	return all
}
