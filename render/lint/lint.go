// Package lint finds what a CMTS or a modem would refuse or misread in a boot file.
//
// Every rule is a [Rule], a row of a table with a function; each subject has a file with its rows and functions. A rule judges
// one [File]: octets, and an overlay that says which of them a request fills in. A binary file, a static file and each of the
// files that a template can make are thus judged alike.
package lint

import (
	"cmp"
	"slices"
	"time"

	"dcs/render/ber/mib"
	"dcs/render/mic"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

// File is one file to judge: a binary file, or one of the files that a template can make.
type File struct {
	Name    string // path, for positions in a binary file
	Dialect tlv.Dialect
	// Octets is the file. If a template makes it, the MICs are zeros, and a slot holds a value that it can have, of a length that
	// it can have; the lengths of enclosing TLVs fit these.
	Octets []byte
	// Made is set if DCS makes the MICs, the end and the padding, so that rules about them do not apply.
	Made bool
	// Shared is set if many devices get the file: its name is a pattern, or a template that is no single device's makes it.
	Shared bool
	// Partial is set if the file has more than Octets, of which nothing is known. What it lacks is then not told, and errors are
	// warnings.
	Partial bool
	// Slots are the values that a request fills in, by offset, and do not overlap.
	Slots []Slot
	// Place returns which statement wrote the octet at an offset; that of len(Octets) is the item itself. Nil: the file is binary,
	// and a position is an offset.
	Place func(offset int) Place
	// When are the arms and candidates that lead to this file, such as "$plan is gold", in the order of the text.
	When []string
}

// Slot is a value that the request decides.
type Slot struct {
	// Off and Len are those of the representative octets: the value of a TLV or a part of it, or the contents of the BER value of
	// an SNMP object. Len may be 0.
	Off, Len int
	// Whole is set if Off and Len are those of a TLV with its header, or of several, of which the octets are only an example:
	// what it consists of depends on the request.
	Whole bool
	// Numeric is set if the octets are a big-endian number, which the slot's expression yields; Min and Max are its bounds
	// before a check of the TLV's own range.
	Numeric  bool
	Min, Max int64
	// Bounded is set if the bounds follow from something that is known: digits of a pattern, values of devices, arithmetic on
	// them. Otherwise any value that fits is possible, and no rule says so.
	Bounded        bool
	MinLen, MaxLen int    // octets of the value that the slot writes
	Text           string // the expression, such as "$down * 1000"
}

// Place is the origin of an octet of a file that a template makes.
type Place struct {
	Pos syntax.Pos
	Via []syntax.Pos // the includes that lead to Pos, the innermost first
}

// Severity is how bad a finding is.
type Severity uint8

const (
	Note    Severity = iota // worth knowing; shown only on request
	Warning                 // legal, and likely wrong
	Error                   // a CMTS or a modem refuses the file, or is bound to ignore a part of it
)

// String returns "note", "warning" or "error".
func (s Severity) String() string { return [...]string{"note", "warning", "error"}[s] }

// Options say for whom files are judged.
type Options struct {
	// Version is that of the modem. If it is 0, rules that apply only up to some version are left out.
	Version Version
	// Secrets are those that CMTS MICs may have been made with; nil: keyed MICs are not verified.
	Secrets []*mic.Secret
	// MIB names SNMP objects; nil: rules about them are left out.
	MIB *mib.Index
	// Classes are the service classes that every CMTS has; none: they are not known.
	Classes []string
	// Without are the ids of rules that are not applied.
	Without []string
	// Now is the time for which certificates are judged; zero: their validity is not.
	Now time.Time
	// Skip reports whether a finding, of which only rule, severity and position are known, is not to be told; nil: all are.
	Skip func(*Finding) bool
}

// Finding is something that a rule found in a file.
type Finding struct {
	Rule     *Rule
	Severity Severity
	Spot
	Related []Related
	Text    string
	Remedy  string
	// When are the arms for which it holds: all of one of the lists. Nil: it holds for all files. If there are eight lists, it may
	// hold for further arms.
	When [][]string

	more int // findings that it stands for, of which nothing else is told; 0: it is one
}

// Spot is a position in a file.
type Spot struct {
	Place  Place  // zero for a binary file
	File   string // of a binary file
	Offset int    // of the TLV's type octet
	Path   string // codes of the TLV from the top, such as "24.1"; empty: the whole file
}

// Related is another position that a finding refers to.
type Related struct {
	Spot
	Text string
}

// Bounds of what is reported for one file.
const (
	maxFindings = 200
	maxPerRule  = 20 // and severity
)

// Check judges a file by all rules that apply to it. The findings are in the order of the file. There are at most 200, errors before
// others, and 20 of one rule and severity; one more says how many are left out.
func Check(f *File, o *Options) []Finding {
	v := newView(f, o)
	c := new(check)
	for _, r := range Rules() {
		if r.Applies(f, o) {
			*c = check{view: v, rule: r}
			r.check(c)
		}
	}
	out := bounded(v.out)
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Offset, b.Offset) })
	return out
}
