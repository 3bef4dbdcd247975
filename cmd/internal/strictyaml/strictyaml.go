// Package strictyaml reads YAML without its surprises: texts are taken as written, quoted or not, and what YAML would read as
// something else is refused. A secret 0123 is the text 0123, not the number 83.
package strictyaml

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Error is an error in a file, with its position.
type Error struct {
	Line, Column int    // from 1; 0: unknown
	Message      string // may quote the file
	Safe         string // the same without quoting the file, which may contain secrets
}

// Error returns line:column: message, to be written after the name of the file and a colon.
func (e *Error) Error() string { return e.at(e.Message) }

// Quiet returns the error without quoting the file.
func (e *Error) Quiet() string { return e.at(e.Safe) }

func (e *Error) at(message string) string {
	if e.Line == 0 {
		return " " + message
	}
	return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, message)
}

func errorAt(t *token.Token, message string) *Error {
	return &Error{t.Position.Line, t.Position.Column, message, message}
}

// locate converts an error of goccy/go-yaml to an *Error.
func locate(err error) error {
	e := &Error{Safe: "unreadable YAML"}
	var ye yaml.Error
	if !errors.As(err, &ye) || ye.GetToken() == nil {
		e.Message = err.Error()
		return e
	}
	at := ye.GetToken().Position
	e.Line, e.Column, e.Message = at.Line, at.Column, ye.GetMessage()
	switch ye.(type) {
	case *yaml.UnknownFieldError:
		e.Safe = "unknown field"
	case *yaml.TypeError, *yaml.UnexpectedNodeTypeError:
		e.Safe = e.Message // kinds and types only
	case *yaml.OverflowError:
		e.Safe = "number too large"
	default:
		e.Safe = "YAML syntax error"
		if strings.HasPrefix(e.Message, "mapping key ") {
			e.Safe = "duplicate key"
		}
	}
	return e
}

// Parse parses a file. It refuses invalid UTF-8, which the parser would replace, and tabs in unquoted texts, which it would
// drop. It also refuses files larger than [MaxSize], and files that are expensive to parse for their size because of their depth, keys,
// documents or aliases. Errors are of type *Error.
func Parse(src []byte) (*ast.File, error) {
	if err := checkSize(src); err != nil {
		return nil, err
	}
	if err := checkUTF8(src); err != nil {
		return nil, err
	}
	tokens := lexer.Tokenize(string(src))
	if err := checkTokens(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, locate(err)
	}
	if err := checkAliases(file); err != nil {
		return nil, err
	}
	v := &tabs{}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(v, doc.Body)
		}
	}
	if v.at != nil {
		return nil, errorAt(v.at, "tab in an unquoted text; put the text in quotes")
	}
	return file, nil
}

func checkUTF8(src []byte) error {
	if utf8.Valid(src) {
		return nil
	}
	number := 0
	for line := range bytes.Lines(src) {
		number++
		column := 0
		for i, r := range string(line) {
			column++
			if r == utf8.RuneError && !bytes.HasPrefix(line[i:], []byte(string(utf8.RuneError))) {
				const message = "not UTF-8; save the file as UTF-8"
				return &Error{number, column, message, message}
			}
		}
	}
	return nil
}

// tabs finds the first unquoted scalar that contains a tab.
type tabs struct{ at *token.Token }

// Visit implements [ast.Visitor].
func (v *tabs) Visit(n ast.Node) ast.Visitor {
	if _, block := n.(*ast.LiteralNode); block {
		return nil
	}
	if t := n.GetToken(); v.at == nil && isScalar(n) && t.Type != token.SingleQuoteType && t.Type != token.DoubleQuoteType &&
		strings.Contains(strings.Trim(t.Origin, " \t\r\n"), "\t") {
		v.at = t
	}
	return v
}

// Decode decodes a file of one document into the value that into points to. Where it has texts, unquoted scalars are taken as
// written, even numbers and words that are special in YAML, except null, which leaves the text empty; an [encoding.TextUnmarshaler]
// gets YAML's own reading. Unknown keys are refused. Errors are of type *Error.
func Decode(src []byte, into any) error {
	file, err := Parse(src)
	if err != nil {
		return err
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch doc.Body.(type) {
		case nil, *ast.NullNode, *ast.CommentGroupNode:
			continue
		}
		if body != nil {
			return errorAt(doc.Body.GetToken(), "second document; use a single document")
		}
		body = doc.Body
	}
	if body == nil {
		return nil
	}
	t := &texts{anchors: map[string]ast.Node{}}
	body = t.node(body, reflect.TypeOf(into).Elem())
	if t.err != nil {
		return t.err
	}
	d := yaml.NewDecoder(strings.NewReader(""), yaml.Strict(), yaml.DisallowUnknownField())
	if err := d.DecodeFromNode(body, into); err != nil {
		return locate(err)
	}
	return nil
}

// texts turns scalars that are decoded into texts into text nodes.
type texts struct {
	anchors map[string]ast.Node // scalars, unchanged
	err     error
}

// node returns what to decode instead of n into a value of type want; nil: it is not decoded.
func (t *texts) node(n ast.Node, want reflect.Type) ast.Node {
	for want != nil && want.Kind() == reflect.Pointer {
		want = want.Elem()
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, pair := range n.Values {
			t.pair(pair, want)
		}
	case *ast.MappingValueNode:
		t.pair(n, want)
	case *ast.MappingKeyNode:
		n.Value = t.node(n.Value, want)
	case *ast.SequenceNode:
		var element reflect.Type
		if want != nil && want.Kind() == reflect.Slice {
			element = want.Elem()
		}
		for i := range n.Values {
			n.Values[i] = t.node(n.Values[i], element)
		}
	case *ast.AnchorNode:
		if isScalar(n.Value) {
			t.anchors[n.Name.GetToken().Value] = n.Value
		}
		n.Value = t.node(n.Value, want)
	case *ast.AliasNode:
		if scalar, ok := t.anchors[n.Value.GetToken().Value]; ok {
			return t.node(scalar, want)
		}
	case *ast.TagNode:
		if isScalar(n.Value) && n.Start.Value == "!!str" {
			return text(n.Value)
		}
		t.err = errors.Join(t.err, errorAt(n.Start, "unsupported tag; put a text in quotes"))
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode, *ast.BoolNode:
		if !isNumber(want) {
			return text(n)
		}
	}
	return n
}

func (t *texts) pair(pair *ast.MappingValueNode, want reflect.Type) {
	if pair.Key.IsMergeKey() {
		pair.Value = t.node(pair.Value, want)
		return
	}
	var key ast.Node = pair.Key
	if _, null := key.(*ast.NullNode); null {
		key = text(key)
	}
	key = t.node(key, nil)
	if k, ok := key.(ast.MapKeyNode); ok {
		pair.Key = k
	}
	pair.Value = t.node(pair.Value, valueType(want, key))
}

// valueType returns the type that the value of a key is decoded into; nil: none.
func valueType(want reflect.Type, key ast.Node) reflect.Type {
	switch {
	case want == nil:
	case want.Kind() == reflect.Map:
		return want.Elem()
	case want.Kind() == reflect.Struct:
		for i := range want.NumField() {
			f := want.Field(i)
			if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name == key.GetToken().Value {
				return f.Type
			}
		}
	}
	return nil
}

func isScalar(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode, *ast.BoolNode, *ast.NullNode:
		return true
	}
	return false
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	unmarshaler     = reflect.TypeFor[yaml.InterfaceUnmarshaler]()
)

// isNumber reports whether a type takes YAML's own reading of numbers and booleans.
func isNumber(t reflect.Type) bool {
	if t == nil {
		return false
	}
	if p := reflect.PointerTo(t); p.Implements(textUnmarshaler) && !p.Implements(unmarshaler) {
		return true // the decoder parses the source again for it
	}
	return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Float64
}

// text returns a scalar as a text node.
func text(scalar ast.Node) ast.Node {
	if _, block := scalar.(*ast.LiteralNode); block {
		return scalar
	}
	return ast.String(scalar.GetToken())
}
