package tlv_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

// value turns an expression without variables into a value.
func value(e syntax.Expr) (tlv.Value, error) {
	switch e := e.(type) {
	case *syntax.Number:
		return tlv.Value{Type: tlv.Number, Neg: e.Neg, Num: e.Value}, nil
	case *syntax.Hex:
		return tlv.Value{Type: tlv.Hex, Text: e.Text}, nil
	case *syntax.Word:
		return tlv.Value{Type: tlv.Word, Text: e.Text}, nil
	case *syntax.String:
		text, ok := e.Literal()
		if !ok {
			return tlv.Value{}, fmt.Errorf("%v: a variable", e.Pos)
		}
		return tlv.Value{Type: tlv.String, Text: text}, nil
	case *syntax.List:
		v := tlv.Value{Type: tlv.List}
		for _, el := range e.Elems {
			x, err := value(el)
			if err != nil {
				return v, err
			}
			v.List = append(v.List, x)
		}
		return v, nil
	case *syntax.BinaryOp:
		a, err := value(e.Left)
		if err != nil {
			return a, err
		}
		b, err := value(e.Right)
		return tlv.Value{Type: tlv.Pair, List: []tlv.Value{a, b}}, err
	}
	return tlv.Value{}, fmt.Errorf("%v: %T", e.Position(), e)
}

func encode(dst []byte, enc *tlv.Encoder, parent *tlv.Def, body []syntax.Stmt) ([]byte, error) {
	for _, st := range body {
		s, ok := st.(*syntax.Setting)
		if !ok {
			continue // hash
		}
		var vals []tlv.Value
		for _, e := range s.Values {
			v, err := value(e)
			if err != nil {
				return dst, err
			}
			vals = append(vals, v)
		}
		d, form, ok := parent.Child(s.Keyword)
		var err error
		switch {
		case s.Keyword == "GenericTLV":
			dst, err = enc.AppendGeneric(dst, parent, vals, nil, false)
		case !ok:
			err = fmt.Errorf("%v: %s", s.Pos, parent.Misplaced(s.Keyword))
		case s.Group:
			start := len(dst)
			if dst, err = encode(d.OpenGroup(dst), enc, d, s.Body); err == nil {
				dst, err = d.CloseGroup(dst, start)
			}
		default:
			dst, err = enc.AppendTLV(dst, d, form, vals)
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// What Print writes must mean the same to the parsers of both languages.
func TestPrintedIsParsed(t *testing.T) {
	const hash = "0b28 3026 060e2b06010401a30b0202010102 0700 0414 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	files := []string{
		"030101 120110",
		"0912 24612420 2261225c 5c242424 2f2f202f2a23",      // $a$ "a"\\$$$// /*#
		"0902 5c22 0901 24 0902 2424 0903 247b7d 0902 275c", // backslash, quote, dollars, ${}
		"2408 0a000001 0a000002 3e0105 3e03010203 0e06 001122aabbcc 3d1120010db800000000000000000000000020",
		"1610 0a0e 010c 0000deadbeef 0000ffffffff 350a 0208 0106 01020304 0045",
		"351e 021c 0106 01020304 0045 0212 00000000000000000000000000000000 0000",
		"2b2d 0803ffffff 0526 0224 0100 0304000b0016 041a 02050101010101 0511 0220020000000000000000000000020001",
		"2b0b 080300407b 040100 060100 1800 0900 180208001803010200",
		"3a10 00000000000000000000ffff0a000001 3a10 00000000000000000000000000000000",
		"2e0b 0809 040180 0204fffffffe",
		"0b13 3011 060c2b06010201450106040102 01 020104",
		"0b13 3011 060c2b06010201450106040102 01 0201ff",
		"0b14 3012 060d2b06010603120101010 2616263 040178", // snmpCommunityName."abc" as an implied index
		"0b14 3012 06092b06010401a30b0101 420500ffffffff",
		"0b12 3010 06092b06010401a30b0101 06032b0601",
		"0b13 3011 06092b06010401a30b0101 40040a000001",
		"0b15 3013 06092b06010401a30b0101 0406 24227c5b2a5c",
		"0a06 06032b0601 01 2607 06050603 2b0601",
		"fe0101 40000b 3009 06042b060103 020101 fe01ff",
		"fe0101" + hash + "fe01ff",
		"c805 2a2f2f2a41 c804 67240041 c803 672200", // */ and /* in a string, and a comment
		"0b13 3011 060b2b06010201450102010601 0302 0780",
		"030101 0000 120110",
	}
	for _, m := range []*mib.Index{nil, mib.Default()} {
		for _, h := range files {
			file, err := hex.DecodeString(strings.ReplaceAll(h, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			tree, err := tlv.Decode(file)
			if err != nil {
				t.Fatalf("%s: %v", h, err)
			}
			var b bytes.Buffer
			if err := tree.Print(&b, m, m == nil); err != nil {
				t.Fatal(err)
			}
			for _, dialect := range []syntax.Dialect{syntax.DCS, syntax.Docsis} {
				parsed, err := syntax.Parse("x", b.Bytes(), dialect)
				if err != nil || len(parsed.Items) != 1 {
					t.Errorf("%s\n%s%v", h, b.String(), err)
					continue
				}
				enc := &tlv.Encoder{MIB: m, Dialect: tree.Dialect}
				got, err := encode(nil, enc, tlv.Root(tree.Dialect), parsed.Items[0].Body)
				if err != nil || !bytes.Equal(got, file) {
					t.Errorf("%s\n%sgives %x, %v", h, b.String(), got, err)
				}
			}
		}
	}
}
