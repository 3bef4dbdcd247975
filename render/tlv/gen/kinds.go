package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// kind is what the generator knows about a row of the table in kind.go.
type kind struct {
	constant string
	length   int  // octets of the length field
	octets   int  // width of the kind's numbers; 0: its values are not numbers
	signed   bool // numbers are in two's complement
	single   bool // a value is a single number
}

// limits returns the least and the greatest number of the kind.
func (k kind) limits() (least, most int64) {
	if k.signed {
		most = 1<<(8*k.octets-1) - 1
		return -most - 1, most
	}
	return 0, 1<<(8*k.octets) - 1
}

// readKinds reads the table of kinds from a Go file. The generator cannot import the package, which does not compile
// without the generated file.
func readKinds(name string) (map[string]kind, error) {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	kinds := map[string]kind{}
	ast.Inspect(f, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		constant, ok1 := kv.Key.(*ast.Ident)
		row, ok2 := kv.Value.(*ast.CompositeLit)
		if !ok1 || !ok2 || len(row.Elts) < 3 || !strings.HasPrefix(constant.Name, "Kind") || constant.Name == "KindNone" {
			return true
		}
		kinds[literal(row.Elts[0])] = readKind(constant.Name, row)
		return false
	})
	if len(kinds) == 0 {
		return nil, fmt.Errorf("%s: no kinds", name)
	}
	return kinds, nil
}

func readKind(constant string, row *ast.CompositeLit) kind {
	k := kind{constant: constant, length: integer(row.Elts[1])}
	ast.Inspect(row.Elts[2], func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		switch of, _ := lit.Type.(*ast.Ident); {
		case of == nil:
		case of.Name == "scalar":
			k.single = true
		case of.Name == "number":
			k.readNumber(lit)
		}
		return true
	})
	k.single = k.single && k.octets > 0
	return k
}

// readNumber parses number{octets: 4, signed: true}.
func (k *kind) readNumber(number *ast.CompositeLit) {
	for _, e := range number.Elts {
		field := e.(*ast.KeyValueExpr)
		switch field.Key.(*ast.Ident).Name {
		case "octets":
			k.octets = integer(field.Value)
		case "signed":
			k.signed = field.Value.(*ast.Ident).Name == "true"
		}
	}
}

// literal returns the value of a string or number, and "" for any other expression.
func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	if s, err := strconv.Unquote(lit.Value); err == nil {
		return s
	}
	return lit.Value
}

func integer(e ast.Expr) int {
	n, _ := strconv.Atoi(literal(e))
	return n
}
