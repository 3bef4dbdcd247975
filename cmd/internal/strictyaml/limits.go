package strictyaml

import (
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// MaxSize is how large a file may be, in octets.
const MaxSize = 1 << 20

// What a file may have at most. The parser takes time and memory in the square of what MaxSize and the first three bound, so these are
// looked at before it.
const (
	maxDepth     = 64      // lists and mappings within one another
	maxKeys      = 8192    // of one mapping
	maxDocuments = 16      // starts and ends of documents: --- and ...
	maxExpanded  = 1 << 20 // values, once each alias is replaced by what it stands for
)

// ReadFile reads a file for [Parse], and no more of it than Parse takes.
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
	message := fmt.Sprintf("the file has %d octets, the limit is %d", len(src), MaxSize)
	return &Error{Message: message, Safe: message}
}

// checkTokens refuses what the parser would take too long for.
func checkTokens(tokens token.Tokens) error {
	s := &shape{}
	for _, t := range tokens {
		if message := s.add(t); message != "" {
			return errorAt(t, message)
		}
	}
	return nil
}

// shape is how deep the tokens so far lie within lists and mappings, and how many keys these have.
type shape struct {
	open      []collection
	documents int
}

// collection is a list or a mapping that has not ended.
type collection struct {
	flow   bool // in brackets or braces
	column int  // else, of its dashes or keys
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

// close ends the innermost collection in brackets, and what is open in it.
func (s *shape) close() {
	for n := len(s.open) - 1; n >= 0; n-- {
		if s.open[n].flow {
			s.open = s.open[:n]
			return
		}
	}
}

// block returns the innermost collection, which has a dash or a key in a column; nil: there is none.
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

// expansion counts the values of a file as if each alias were what it stands for.
type expansion struct {
	anchors map[string]int
	total   int
}

// checkAliases refuses a file that is small only as long as its aliases are not followed.
func checkAliases(file *ast.File) error {
	for _, doc := range file.Docs {
		e := &expansion{anchors: map[string]int{}}
		if doc.Body == nil {
			continue
		}
		if e.size(doc.Body); e.total > maxExpanded {
			return errorAt(doc.Body.GetToken(), fmt.Sprintf("with its aliases replaced, the file has more than %d values", maxExpanded))
		}
	}
	return nil
}

// size returns the number of values that a node stands for, at most a little more than maxExpanded.
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
