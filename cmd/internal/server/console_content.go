package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"dcs/cmd/internal/admin/console"
	"dcs/cmd/internal/describe"
	"dcs/render"
	"dcs/render/mic"
	"dcs/render/tlv"
)

// content decodes the file.
func (b *backend) content(x *render.Explanation, ip netip.Addr, out *console.Explanation) error {
	if describe.IsText(x) || x.Static != "" && utf8.Valid(x.Body) && !bytes.ContainsRune(x.Body, 0) {
		out.Text = string(x.Body)
		return nil
	}
	if len(x.Body) > maxDecoded {
		return nil
	}
	tree, damage := tlv.Decode(x.Body)
	if damage != nil {
		if x.Static == "" {
			out.Notes = append(out.Notes, damage.Error())
		}
		return nil
	}
	described, err := tree.JSON(b.s.mib)
	if err != nil {
		return err
	}
	var file struct{ TLVs []describedTLV }
	if err := json.Unmarshal(described, &file); err != nil {
		return err
	}
	out.Tree = flattenTree(nil, tree.Nodes, file.TLVs, "", 0)
	if tree.Dialect == tlv.PS {
		return nil // these files have no integrity value
	}
	report, err := mic.Verify(x.Body, b.s.engine.Keyring().Secret(ip))
	if err != nil {
		out.Notes = append(out.Notes, err.Error())
		return nil
	}
	for _, m := range describe.Verdicts(tree.Dialect, &report) {
		out.MICs = append(out.MICs, console.MIC{Name: m.Name, Verdict: m.Verdict, Note: m.Note})
	}
	out.Notes = append(out.Notes, report.Notes...)
	return nil
}

// maxDecoded is the longest file to decode, octets. Modems' files are far shorter; longer ones are firmware.
const maxDecoded = 64 << 10

// describedTLV is one TLV as [tlv.Tree.JSON] describes it.
type describedTLV struct {
	Name     string
	Value    any
	Hex      string
	Note     string
	Children []describedTLV
}

func flattenTree(out []console.TLV, nodes []*tlv.Node, d []describedTLV, path string, depth int) []console.TLV {
	for i, n := range nodes {
		t := console.TLV{
			Path: path + strconv.Itoa(int(n.Code)), Depth: depth, Name: d[i].Name, Offset: n.Offset, Length: len(n.Raw), Head: len(n.Raw) - len(n.Value), Note: d[i].Note,
			Group: len(n.Children) > 0,
		}
		if !t.Group {
			t.Value = valueText(d[i].Value)
			if t.Value == "" && d[i].Hex != "" {
				t.Value = "0x" + d[i].Hex
			}
		}
		out = append(out, t)
		out = flattenTree(out, n.Children, d[i].Children, t.Path+".", depth+1)
	}
	return out
}

func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, valueText(x))
		}
		return strings.Join(parts, ", ")
	case map[string]any: // an SNMP object
		text := func(key string) string { return valueText(v[key]) }
		value := text("value")
		switch {
		case text("label") != "":
			value = text("label") + "(" + value + ")"
		case v["value"] == nil:
			value = "0x" + text("hex")
		}
		return fmt.Sprintf("%s = %s %s", cmp.Or(text("name"), text("oid")), text("type"), value)
	}
	return fmt.Sprint(v)
}
