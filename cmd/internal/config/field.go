package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// field says where a key's value is stored and how it is set, by the file and by flags.
type field struct {
	list       bool
	secret     bool                         // errors must not quote the value
	onOff      bool                         // the flag alone, without a value, turns it on
	word       string                       // for a value, in the usage
	want       string                       // what a value looks like, for errors
	takes      func(n ast.Node) bool        // whether a YAML scalar is of the right type
	reset      func()                       // empties a list
	structured bool                         // only in the file, without a flag
	node       func(r *reader, n ast.Node)  // reads a structured value
	block      func(r *reader, n ast.Node)  // reads an element of a list that is a block; nil: blocks are errors
	add        func(text, dir string) error // sets the value, or appends to the list; relative paths begin at dir
	value      func() any                   // the value as it is
}

func text(n ast.Node) bool {
	switch n.Type() {
	case ast.StringType, ast.LiteralType:
		return true
	}
	return false
}

func digits(n ast.Node) bool { return n.Type() == ast.IntegerType || n.Type() == ast.FloatType }

func textOrInteger(n ast.Node) bool { return text(n) || n.Type() == ast.IntegerType }

// onlyText reports whether a field accepts neither numbers nor booleans.
func (f *field) onlyText() bool {
	return f.takes(&ast.StringNode{}) && !f.takes(&ast.IntegerNode{}) && !f.takes(&ast.BoolNode{})
}

// one returns the field for a single value.
func one[T any](p *T, word, want string, takes func(ast.Node) bool, parse func(string) (T, error)) field {
	return field{
		word: word, want: want, takes: takes,
		reset: func() {},
		value: func() any { return *p },
		add: func(s, _ string) error {
			v, err := parse(s)
			if err == nil {
				*p = v
			}
			return err
		},
	}
}

// many returns the field for a list of texts.
func many[T any](p *[]T, word, want string, parse func(string) (T, error)) field {
	return field{
		list: true, word: word, want: want, takes: text,
		reset: func() { *p = nil },
		value: func() any { return *p },
		add: func(s, _ string) error {
			v, err := parse(s)
			if err == nil {
				*p = append(*p, v)
			}
			return err
		},
	}
}

func boolean(p *bool) field {
	takes := func(n ast.Node) bool { return text(n) || n.Type() == ast.BoolType }
	f := one(p, "on|off", "on or off", takes, parseBool)
	f.onOff = true
	return f
}

func number(p *int, least, most int) field {
	want := fmt.Sprintf("a number, %d to %d", least, most)
	takes := func(n ast.Node) bool { return n.Type() == ast.IntegerType }
	return one(p, "number", want, takes, func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("%s is not %s", s, want)
		}
		return n, nil
	})
}

// duration returns the field for a duration with its unit. An integer, which lacks the unit, is passed to parse, whose error says
// more than that the type is wrong.
func duration(p *time.Duration, least, most time.Duration) field {
	want := fmt.Sprintf("a duration such as 4s or 500ms, %v to %v", least, most)
	return one(p, "duration", want, textOrInteger, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d < least || d > most {
			return 0, fmt.Errorf("%s is not %s", s, want)
		}
		return d, nil
	})
}

// size returns the field for a number of octets.
func size(p *int, least, most int) field {
	want := fmt.Sprintf("a size such as 512k or 8M, %s to %s", showSize(least), showSize(most))
	return one(p, "size", want, textOrInteger, func(s string) (int, error) {
		figures, shift := s, 0
		if n := len(s) - 1; n > 0 {
			switch s[n] {
			case 'k':
				figures, shift = s[:n], 10
			case 'M':
				figures, shift = s[:n], 20
			}
		}
		n, err := strconv.Atoi(figures)
		if err != nil || n < 0 || n > most>>shift || n<<shift < least {
			return 0, fmt.Errorf("%s is not %s", s, want)
		}
		return n << shift, nil
	})
}

func showSize(n int) string {
	switch {
	case n > 0 && n%(1<<20) == 0:
		return strconv.Itoa(n>>20) + "M"
	case n > 0 && n%(1<<10) == 0:
		return strconv.Itoa(n>>10) + "k"
	}
	return strconv.Itoa(n)
}

func path(p *string) field {
	f := one[string](p, "path", "a path", text, nil)
	f.add = func(s, dir string) error {
		*p = resolve(s, dir)
		return nil
	}
	return f
}

func paths(p *[]string) field {
	f := many[string](p, "paths", "a list of paths", nil)
	f.add = func(s, dir string) error {
		if s == "" {
			return errors.New("empty path")
		}
		*p = append(*p, resolve(s, dir))
		return nil
	}
	return f
}

// adminAddresses returns the field for a list of addresses, and of paths of sockets after "unix:".
func adminAddresses(p *[]string) field {
	f := many[string](p, "addresses", "a list of addresses with ports, or of unix: and a path", nil)
	f.add = func(s, dir string) error {
		if s == "" { // like an empty list
			return nil
		}
		if path, ok := strings.CutPrefix(s, "unix:"); ok {
			if path == "" {
				return errors.New("unix: without the path of a socket")
			}
			s = "unix:" + resolve(path, dir)
		} else if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
			return fmt.Errorf("%s is neither an address and port such as 127.0.0.1:8069 nor unix: with a path", s)
		}
		if slices.Contains(*p, s) {
			return fmt.Errorf("%s is listed twice", s)
		}
		*p = append(*p, s)
		return nil
	}
	return f
}

func resolve(path, dir string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
