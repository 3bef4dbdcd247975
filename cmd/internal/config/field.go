package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// field is the place of a key's value and the way into it, for the file and for flags alike.
type field struct {
	list       bool
	onOff      bool                         // the flag alone, without a value, turns it on
	word       string                       // for a value, in the usage
	want       string                       // what a value looks like, for errors
	takes      func(n ast.Node) bool        // whether a YAML scalar is of the right type
	reset      func()                       // empties a list
	structured bool                         // the file alone can say it, no flag
	node       func(r *reader, n ast.Node)  // reads a structured value
	block      func(r *reader, n ast.Node)  // reads an element of a list that is a block; nil: none may be
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

// onlyText tells whether a field takes neither numbers nor truth values.
func (f *field) onlyText() bool {
	return f.takes(&ast.StringNode{}) && !f.takes(&ast.IntegerNode{}) && !f.takes(&ast.BoolNode{})
}

// one makes the field of a single value.
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

// many makes the field of a list of texts.
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

// duration makes the field of a time with its unit. An integer, which lacks it, gets
// to parse, whose error says more than that the type is wrong.
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

// size makes the field of a number of octets.
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
			return errors.New("an empty path names no directory")
		}
		*p = append(*p, resolve(s, dir))
		return nil
	}
	return f
}

// adminAddresses makes the field of a list of addresses, or of paths of sockets behind "unix:".
func adminAddresses(p *[]string) field {
	f := many[string](p, "addresses", "a list of addresses with ports, or of unix: and a path", nil)
	f.add = func(s, dir string) error {
		if s == "" { // as a list without any
			return nil
		}
		if path, ok := strings.CutPrefix(s, "unix:"); ok {
			if path == "" {
				return errors.New("unix: lacks the path of a socket")
			}
			s = "unix:" + resolve(path, dir)
		} else if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
			return fmt.Errorf("%s is neither an address and port such as 127.0.0.1:8069 nor unix: and a path", s)
		}
		if slices.Contains(*p, s) {
			return fmt.Errorf("%s is there twice", s)
		}
		*p = append(*p, s)
		return nil
	}
	return f
}

func parseHost(s string) (string, error) {
	if s == "" || strings.ContainsAny(s, "/:@ \t") {
		return "", fmt.Errorf("%q is no host name", s)
	}
	return s, nil
}

func resolve(path, dir string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "on", "true":
		return true, nil
	case "off", "false":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither on nor off", s)
}

func parseName(s string) (string, error) {
	if s == "" || strings.ContainsAny(s, " \t,") {
		return "", fmt.Errorf("%q is no module name", s)
	}
	return s, nil
}

func parseListen(s string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return a, fmt.Errorf("%s is no address and port such as 0.0.0.0:69 or [::]:69", s)
	}
	return a, nil
}

func parseTransport(s string) (Transport, error) {
	switch t := Transport(s); t {
	case Auto, XDP, Socket:
		return t, nil
	}
	return "", fmt.Errorf("%s is no transport: take auto, xdp or socket", s)
}

// options are the TFTP options that a client may be granted (RFC 2348, RFC 2349, RFC 7440).
var options = []string{"blksize", "timeout", "tsize", "windowsize"}

func parseOption(s string) (string, error) {
	if !slices.Contains(options, s) {
		return "", fmt.Errorf("%s is no option: take some of %s", s, strings.Join(options, ", "))
	}
	return s, nil
}

// parseInterface takes what Linux would (dev_valid_name).
func parseInterface(s string) (string, error) {
	if s == "" || len(s) > 15 || s == "." || s == ".." || strings.ContainsAny(s, "/: \t\n\v\f\r") {
		return "", fmt.Errorf("%q is no name of a network interface", s)
	}
	return s, nil
}

// ParsePrefix reads a prefix, or an address, which stands for itself alone.
func ParsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if a, e := netip.ParseAddr(s); e == nil && a.Zone() == "" {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch {
	case err != nil:
		return p, fmt.Errorf("%s is no prefix such as 10.0.0.0/8 or fd00::/8", s)
	case p.Addr().Is4In6():
		return p, fmt.Errorf("%s: write it as an IPv4 prefix", s)
	case p != p.Masked():
		return p, fmt.Errorf("%s has bits set behind its length: is %s meant, or %s?", s, p.Masked(), p.Addr())
	}
	return p, nil
}

// The rates that the token buckets can hold: their interval has 32 bits of nanoseconds.
const (
	minRate = 0.25
	maxRate = 1e6
)

// CheckRate finds what is wrong with a limit on requests; a rate of 0 is none.
func CheckRate(rate float64, burst int) error {
	if rate != 0 && !(rate >= minRate && rate <= maxRate) {
		return fmt.Errorf("a rate of %v is not 0 or %v to %v requests per second", rate, minRate, maxRate)
	}
	if burst < 1 || burst > 1<<20 {
		return fmt.Errorf("a burst of %d is not 1 to %d", burst, 1<<20)
	}
	return nil
}

// DefaultBurst returns how many requests a source may make in a row where that is not configured: those of a minute.
func DefaultBurst(rate float64) int { return int(min(max(60*rate, 20), 1<<20)) }

// CheckPrefixes finds what is wrong with how many bits of an address make a source.
func CheckPrefixes(v4, v6 int) error {
	if v4 < 1 || v4 > 32 || v6 < 1 || v6 > 128 {
		return fmt.Errorf("sources of /%d and /%d are not /1 to /32 and /1 to /128", v4, v6)
	}
	return nil
}

func parseRate(s string) (float64, error) {
	r, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is no number of requests per second", s)
	}
	return r, CheckRate(r, 1)
}

func parsePorts(s string) (PortRange, error) {
	if s == "" {
		return PortRange{}, nil
	}
	first, last, ranged := strings.Cut(s, "-")
	if !ranged {
		last = first
	}
	lo, err1 := strconv.ParseUint(first, 10, 16)
	hi, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil || lo == 0 || lo > hi {
		return PortRange{}, fmt.Errorf("%s is no range of ports such as 30000-30999", s)
	}
	return PortRange{uint16(lo), uint16(hi)}, nil
}

// Count returns how many ports there are.
func (r PortRange) Count() int {
	if r.First == 0 {
		return 0
	}
	return int(r.Last) - int(r.First) + 1
}

func (r PortRange) String() string {
	switch r.Count() {
	case 0:
		return ""
	case 1:
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}
