// Package naming maps the file names that clients request to the names that a library uses: the same file has many spellings.
package naming

import (
	"slices"
	"strings"

	"dcs/render/device"
)

// MaxName is the longest name in octets, as over TFTP.
const MaxName = 512

// Config configures how names are read.
type Config struct {
	Backslash  bool     // a backslash separates directories, like a slash
	IgnoreCase bool     // A to Z are read as a to z
	Roots      []string // directories; absolute names below one are relative to it
	Rewrite    []Rule   // applied in order to cleaned names without @MAC, with one leading slash if there was any
}

// Rules read names. They are immutable; any number of goroutines may use them.
type Rules struct {
	backslash, fold bool
	roots           []string // cleaned, with a trailing slash, longest first
	rewrite         []*rule
}

// New returns the rules of a configuration. The error names the rule of Rewrite that is wrong, counted from 1.
func New(cfg Config) (*Rules, error) {
	r := &Rules{backslash: cfg.Backslash, fold: cfg.IgnoreCase}
	for _, root := range cfg.Roots {
		if key := r.Key(root); key != "" {
			r.roots = append(r.roots, strings.TrimSuffix(key, "/")+"/")
		}
	}
	slices.SortFunc(r.roots, func(a, b string) int { return len(b) - len(a) })
	var err error
	r.rewrite, err = compileRules(cfg.Rewrite, cfg.IgnoreCase)
	return r, err
}

// Literally returns rules that read names as r does, but without rewriting and roots: for names that a library itself uses.
func (r *Rules) Literally() *Rules { return &Rules{backslash: r.backslash, fold: r.fold} }

// Folds reports whether letter case is ignored.
func (r *Rules) Folds() bool { return r.fold }

// A Refusal is the reason why a name gets no file, whatever the library contains.
type Refusal uint8

// The refusals.
const (
	Allowed Refusal = iota
	Outside         // the name has a component ".."
	Refused         // a rule refuses it
	TooLong         // it is longer than MaxName, as requested or after rewriting
	Endless         // a rule with Repeat does not end
)

var refusals = [...]string{
	Outside: `name contains ".."`,
	Refused: "name refused by a rewrite rule",
	TooLong: "name longer than 512 octets, as requested or after rewriting",
	Endless: "rewrite rule repeats without end",
}

// String returns the reason as text; "" for Allowed.
func (r Refusal) String() string {
	if int(r) < len(refusals) {
		return refusals[r]
	}
	return ""
}

// Name is the result of reading a requested name.
type Name struct {
	File    []byte     // the library's name for the file; part of the requested name or of a Scratch
	MAC     device.MAC // the device in the name; zero: none
	Refusal Refusal
}

// Scratch is the working memory of [Rules.Read], for one goroutine at a time. The zero value is ready to use.
type Scratch struct {
	buf   [MaxName]byte     // a cleaned name
	input [1 + MaxName]byte // what rules are applied to
	cache cache
}

// Read reads a requested name. With devices, a name may end in @ and the MAC address of a device, as in file@0a0102030405. Read
// allocates only for names that are rewritten and are not in the cache of sc.
func (r *Rules) Read(requested []byte, devices bool, sc *Scratch) (n Name) {
	name := requested
	if devices {
		name, n.MAC = SplitDevice(name)
	}
	n.File, n.Refusal = r.clean(name, &sc.buf)
	if len(r.rewrite) > 0 && n.Refusal == Allowed {
		// Rules see one spelling of a name: a rule that refuses it cannot be bypassed by another spelling.
		sc.input[0] = '/'
		input := sc.input[:1+copy(sc.input[1:], n.File)]
		if !r.absolute(name) {
			input = input[1:]
		}
		if name, n.Refusal = sc.cache.rewrite(r, input); n.Refusal != Allowed {
			n.File = nil
			return n
		}
		if devices && n.MAC.IsZero() {
			name, n.MAC = SplitDevice(name)
		}
		n.File, n.Refusal = r.clean(name, &sc.buf)
	}
	if r.absolute(name) {
		n.File = r.beneath(n.File)
	}
	return n
}

func (r *Rules) absolute(name []byte) bool { return len(name) > 0 && r.slash(name[0]) }

// Key returns the form in which a name of the library is looked up: cleaned, and in lower case if case is ignored. A name with ".."
// or longer than [MaxName] is its own key; it cannot be requested.
func (r *Rules) Key(name string) string {
	if len(name) > MaxName {
		return name
	}
	var buf [MaxName]byte
	key, refusal := r.clean([]byte(name), &buf)
	if refusal != Allowed {
		return name
	}
	return string(key)
}

// Fold returns a file's path below its root in the form in which names are looked up: in lower case if case is ignored.
func (r *Rules) Fold(path string) string {
	if !r.fold || strings.IndexFunc(path, func(c rune) bool { return 'A' <= c && c <= 'Z' }) < 0 {
		return path
	}
	b := []byte(path)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}

// beneath removes a root from the front of a name.
func (r *Rules) beneath(name []byte) []byte {
	for _, root := range r.roots {
		if len(name) > len(root) && string(name[:len(root)]) == root {
			return name[len(root):]
		}
	}
	return name
}

func (r *Rules) slash(c byte) bool { return c == '/' || c == '\\' && r.backslash }

// clean removes leading slashes, and empty components and "." anywhere. The result is part of name if that is possible, else it is
// written to buf. Names with a component "..", and names that are too long, are refused.
func (r *Rules) clean(name []byte, buf *[MaxName]byte) (file []byte, why Refusal) {
	for len(name) > 0 && r.slash(name[0]) {
		name = name[1:]
	}
	if len(name) > len(buf) {
		return nil, TooLong
	}
	if !r.dirty(name) {
		return name, Allowed
	}
	n := 0
	for at := 0; at < len(name); {
		end := at
		for end < len(name) && !r.slash(name[end]) {
			end++
		}
		part := name[at:end]
		at = end + 1
		switch string(part) {
		case "", ".":
			continue
		case "..":
			return nil, Outside
		}
		for _, c := range part {
			if r.fold {
				c = lower(c)
			}
			buf[n] = c
			n++
		}
		if end < len(name) {
			buf[n] = '/' // a trailing one stays: the name is that of a directory
			n++
		}
	}
	return buf[:n], Allowed
}

// dirty reports whether a name may need more than its leading slashes removed.
func (r *Rules) dirty(name []byte) bool {
	before := byte('/')
	for _, c := range name {
		switch {
		case c == '\\' && r.backslash, before == '/' && (c == '/' || c == '.'), r.fold && 'A' <= c && c <= 'Z':
			return true
		}
		before = c
	}
	return false
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// SplitDevice splits a requested name such as file@0a0102030405 into the file and the device's MAC address. Without an address at
// its end it returns the whole name and the zero MAC.
func SplitDevice(name []byte) (file []byte, mac device.MAC) {
	for i := len(name) - 1; i > 0 && len(name)-i <= len("@0a:01:02:03:04:05"); i-- {
		if name[i] == '@' {
			if mac, err := device.ParseMAC(name[i+1:]); err == nil {
				return name[:i], mac
			}
			break
		}
	}
	return name, device.MAC{}
}
