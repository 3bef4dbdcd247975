package strictyaml

import (
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// MaxSize is the maximum size of a file in octets.
const MaxSize = 1 << 20

// Limits of a file. The parser takes quadratic time and memory in MaxSize and the first three, so they are checked before it runs.
const (
	maxDepth     = 64      // nested lists and mappings
	maxKeys      = 8192    // of one mapping
	maxDocuments = 16      // starts and ends of documents: --- and ...
	maxExpanded  = 1 << 20 // values after expanding aliases
)

// ReadFile reads a file for [Parse], at most MaxSize octets.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err == nil && len(src) > MaxSize {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("larger than %d octets, the limit for a YAML file", MaxSize)}
	}
	return src, err
}

func checkSize(src []byte) error {
	if len(src) <= MaxSize {
		return nil
	}
	message := fmt.Sprintf("file has %d octets; the limit is %d", len(src), MaxSize)
	return &Error{Message: message, Safe: message}
}

// checkTokens refuses files that would take the parser too long.
func checkTokens(tokens token.Tokens) error {
	s := &shape{}
	for _, t := range tokens {
		if message := s.add(t); message != "" {
			return errorAt(t, message)
		}
	}
	return nil
}

// shape tracks the nesting of lists and mappings and their number of keys.
type shape struct {
	open      []collection
	documents int
}

// collection is an open list or mapping.
type collection struct {
	flow   bool // in brackets or braces
	column int  // otherwise: the column of its dashes or keys
	keys   int
}

func (s *shape) add(t *token.Token) (refused string) {
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		s.open = append(s.open, collection{flow: true})
	case token.SequenceEndType, token.MappingEndType:
		s.close()
	case token.DocumentHeaderType, token.DocumentEndType:
		s.open = s.open[:0]
		if s.documents++; s.documents > maxDocuments {
			return fmt.Sprintf("more than %d starts and ends of documents; put everything into one", maxDocuments)
		}
	case token.SequenceEntryType, token.MappingKeyType:
		s.block(t.Position.Column)
	case token.MappingValueType:
		key := t
		if t.Prev != nil {
			key = t.Prev
		}
		if c := s.block(key.Position.Column); c != nil {
			if c.keys++; c.keys > maxKeys {
				return fmt.Sprintf("more than %d keys in one mapping", maxKeys)
			}
		}
	}
	if len(s.open) > maxDepth {
		return fmt.Sprintf("lists and mappings nest deeper than %d levels", maxDepth)
	}
	return ""
}

// close ends the innermost collection in brackets, with everything in it.
func (s *shape) close() {
	for n := len(s.open) - 1; n >= 0; n-- {
		if s.open[n].flow {
			s.open = s.open[:n]
			return
		}
	}
}

// block returns the innermost collection, to which a dash or key in the column belongs; nil: there is none.
func (s *shape) block(column int) *collection {
	n := len(s.open)
	for n > 0 && !s.open[n-1].flow && s.open[n-1].column > column {
		n--
	}
	s.open = s.open[:n]
	if n == 0 || !s.open[n-1].flow && s.open[n-1].column < column {
		s.open = append(s.open, collection{column: column})
	}
	return &s.open[len(s.open)-1]
}

// expansion counts the values of a file after expanding aliases.
type expansion struct {
	anchors map[string]int
	total   int
}

// checkAliases refuses files that grow beyond maxExpanded when aliases are expanded.
func checkAliases(file *ast.File) error {
	for _, doc := range file.Docs {
		e := &expansion{anchors: map[string]int{}}
		if doc.Body == nil {
			continue
		}
		if e.size(doc.Body); e.total > maxExpanded {
			return errorAt(doc.Body.GetToken(), fmt.Sprintf("more than %d values after expanding aliases", maxExpanded))
		}
	}
	return nil
}

// size returns the number of values of a node after expanding aliases, capped just above maxExpanded.
func (e *expansion) size(n ast.Node) int {
	before := e.total
	e.total = min(e.total+1, maxExpanded+1)
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, pair := range n.Values {
			e.size(pair)
		}
	case *ast.MappingValueNode:
		e.size(n.Key)
		e.size(n.Value)
	case *ast.MappingKeyNode:
		e.size(n.Value)
	case *ast.SequenceNode:
		for _, v := range n.Values {
			e.size(v)
		}
	case *ast.TagNode:
		e.size(n.Value)
	case *ast.AnchorNode:
		size := e.size(n.Value)
		e.anchors[n.Name.GetToken().Value] = size
	case *ast.AliasNode:
		e.total = min(e.total+e.anchors[n.Value.GetToken().Value], maxExpanded+1)
	}
	return e.total - before
}
