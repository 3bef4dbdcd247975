// Package naming reads the names that clients ask for: one file has many, and a library has one of each.
package naming

import (
	"slices"
	"strings"

	"dcs/render/device"
)

// MaxName is the longest name in octets, as over TFTP.
const MaxName = 512

// Config says how names are read.
type Config struct {
	Backslash  bool     // a backslash separates directories, as a slash does
	IgnoreCase bool     // A to Z are read as a to z
	Roots      []string // directories; absolute names beneath one are read as relative to it
	Rewrite    []Rule   // applied in turn to clean names without their device, with one slash in front if there was any
}

// Rules read names. They are immutable; any number of goroutines may use them.
type Rules struct {
	backslash, fold bool
	roots           []string // as clean leaves them, with a slash behind, the longest first
	rewrite         []*rule
}

// New returns the rules of a configuration. Its error says which rule of Rewrite is wrong, and why.
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

// Literally returns rules that read as r does, but neither rewrite names nor look for roots: for names that a library has.
func (r *Rules) Literally() *Rules { return &Rules{backslash: r.backslash, fold: r.fold} }

// Rewrites reports whether there are rules to rewrite names by.
func (r *Rules) Rewrites() bool { return len(r.rewrite) > 0 }

// Folds reports whether letter case is ignored.
func (r *Rules) Folds() bool { return r.fold }

// A Refusal is why a name leads to no file, whatever the library has.
type Refusal uint8

// The refusals.
const (
	Allowed Refusal = iota
	Outside         // it has a component "..", which leads nowhere
	Refused         // a rule refuses it
	TooLong         // it is longer than MaxName, or rules make it so
	Endless         // a rule that repeats does not come to an end
)

var refusals = [...]string{
	Outside: `it has "..", which leads to no file`,
	Refused: "a rewrite rule refuses it",
	TooLong: "it is longer than 512 octets, or rewrite rules make it so",
	Endless: "a rewrite rule repeats without end",
}

// String says why in words; "" for Allowed.
func (r Refusal) String() string {
	if int(r) < len(refusals) {
		return refusals[r]
	}
	return ""
}

// Name is what a name asks for.
type Name struct {
	File    []byte     // the library's name for it; it stands in the name asked for or in a Scratch
	MAC     device.MAC // of the device that the name is for; zero: it names none
	Refusal Refusal
}

// Scratch is memory that one goroutine reads names in. The zero value is ready.
type Scratch struct {
	buf   [MaxName]byte     // a clean name
	asked [1 + MaxName]byte // what rules see
	cache cache
}

// Read reads a name. With devices a MAC address behind an @ at its end names the device: file@0a0102030405. Names that no rule
// rewrites, and those that were rewritten of late, cost no allocation.
func (r *Rules) Read(asked []byte, devices bool, sc *Scratch) (n Name) {
	name := asked
	if devices {
		name, n.MAC = SplitDevice(name)
	}
	n.File, n.Refusal = r.clean(name, &sc.buf)
	if len(r.rewrite) > 0 && n.Refusal == Allowed {
		// Rules see one spelling of a name: one that refuses it cannot be passed by another.
		sc.asked[0] = '/'
		seen := sc.asked[:1+copy(sc.asked[1:], n.File)]
		if !r.absolute(name) {
			seen = seen[1:]
		}
		if name, n.Refusal = sc.cache.rewrite(r, seen); n.Refusal != Allowed {
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

// Key returns what a name of the library is looked up by: the name without what means nothing in it. A name that holds ".." is
// its own key, which nobody can ask for.
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

// Fold returns a file's path below its root as names are looked up: in lower case where case is ignored.
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

// beneath takes a root off the front of a name.
func (r *Rules) beneath(name []byte) []byte {
	for _, root := range r.roots {
		if len(name) > len(root) && string(name[:len(root)]) == root {
			return name[len(root):]
		}
	}
	return name
}

func (r *Rules) slash(c byte) bool { return c == '/' || c == '\\' && r.backslash }

// clean takes off slashes in front, and empty components and those called "." anywhere. What needs no more than its front taken
// off stays where it is; else the result stands in buf. It refuses a name with a component "..", and one that is too long.
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
			buf[n] = '/' // one at the end stays: what stands before it would have to be a directory
			n++
		}
	}
	return buf[:n], Allowed
}

// dirty reports whether clean has to look closer at a name.
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

// SplitDevice takes a device's MAC address off the end of a name that is asked for, file@0a0102030405. If there is none, it
// returns the whole name, and the zero MAC.
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
