package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"dcs/cmd/internal/strictyaml"
	"dcs/render/spelling"
)

// parse reads src, the contents of the file called name, over c's values. It continues after an error, so that all are reported
// at once.
func (c *Config) parse(name string, src []byte) error {
	file, err := strictyaml.Parse(src)
	if err != nil {
		return fmt.Errorf("%s:%w", name, err)
	}
	r := reader{name: name, dir: filepath.Dir(name), keys: c.Keys()}
	docs := 0
	for _, doc := range file.Docs {
		switch body := doc.Body.(type) {
		case nil, *ast.NullNode, *ast.CommentGroupNode:
			continue
		case *ast.MappingNode:
			for _, pair := range body.Values {
				r.pair(pair)
			}
		case *ast.MappingValueNode:
			r.pair(body)
		default:
			r.fail(body, "unexpected %s; expected settings such as \"library: [/etc/dcs/library]\"", describe(body))
		}
		if docs++; docs > 1 {
			r.fail(doc.Body, "second document; put all settings into one")
		}
	}
	return errors.Join(r.errs...)
}

type reader struct {
	name, dir string
	keys      []Key
	errs      []error
}

func (r *reader) fail(n ast.Node, format string, args ...any) {
	// The position of a list or a block is that of its first token, not of a separator inside.
	first := n
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		first = m.Values[0].Key
	} else if m, ok := n.(*ast.MappingValueNode); ok {
		first = m.Key
	}
	at := first.GetToken().Position
	r.errs = append(r.errs, fmt.Errorf("%s:%w", r.name, &strictyaml.Error{Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...)}))
}

func (r *reader) pair(pair *ast.MappingValueNode) {
	name := pair.Key.GetToken().Value
	for _, k := range r.keys {
		if k.Name == name {
			r.value(k, pair)
			return
		}
	}
	if near := r.nearest(name); near != "" {
		r.fail(pair.Key, "unknown key %q; did you mean %q?", name, near)
	} else {
		r.fail(pair.Key, "unknown key %q", name)
	}
}

func (r *reader) value(k Key, pair *ast.MappingValueNode) {
	if _, ok := pair.Value.(*ast.NullNode); ok {
		r.fail(pair.Key, "%s: missing value; expected %s", k.Name, k.usage())
		return
	}
	k.field.reset()
	if k.field.structured {
		k.field.node(r, pair.Value)
		return
	}
	seq, ok := pair.Value.(*ast.SequenceNode)
	if !ok || !k.field.list {
		r.element(k, pair.Value) // a list with one element needs no brackets
		return
	}
	for _, v := range seq.Values {
		r.element(k, v)
	}
}

func (r *reader) element(k Key, n ast.Node) {
	if k.field.block != nil && pairsOf(n) != nil {
		k.field.block(r, n)
		return
	}
	r.scalar(k, n)
}

func (r *reader) scalar(k Key, n ast.Node) {
	if !k.field.takes(n) {
		quotes := ""
		if scalar := digits(n) || n.Type() == ast.BoolType; scalar && k.field.onlyText() {
			quotes = "; put it in quotes if it is a text"
		}
		what := describe(n)
		if k.field.secret {
			what = "value"
		}
		r.fail(n, "%s: unexpected %s; expected %s%s", k.Name, what, k.usage(), quotes)
		return
	}
	v := n.GetToken().Value
	if lit, ok := n.(*ast.LiteralNode); ok {
		v = strings.TrimSuffix(lit.Value.Value, "\n")
	}
	if err := k.field.add(v, r.dir); err != nil {
		r.fail(n, "%s: %s", k.Name, err)
	}
}

// usage describes a value, with the default as an example unless it is empty.
func (k Key) usage() string {
	if k.Default == "" || k.Default == "[]" || k.Default == `""` {
		return k.field.want
	}
	return fmt.Sprintf("%s, as in %q", k.field.want, k.Name+": "+k.Default)
}

func describe(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "block of settings"
	case ast.SequenceType:
		return "list"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "number " + n.GetToken().Value
	case ast.BoolType:
		return n.GetToken().Value
	case ast.StringType, ast.LiteralType:
		return "text " + strconv.Quote(n.GetToken().Value)
	case ast.AnchorType, ast.AliasType, ast.MergeKeyType, ast.TagType:
		return "anchor, alias or tag"
	}
	return "empty value"
}

// nearest returns the key that is spelled most like name, or "" if none is similar.
func (r *reader) nearest(name string) string {
	best, least := "", len(name)/3+1
	for _, k := range r.keys {
		if d := spelling.Distance(strings.ReplaceAll(name, "-", "_"), k.Name, least); d <= least {
			best, least = k.Name, d-1
		}
	}
	return best
}
