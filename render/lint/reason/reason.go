// Package reason ranks why a modem does not come online, by what its CMTS or the modem says and what is known of its file.
//
// What can be said is a table of words, each with its causes, the likeliest first. Sources: the enumerations of
// CISCO-DOCS-EXT-MIB, DOCS-IF-MIB, DOCS-IF3-MIB, DOCS-CABLE-DEVICE-MIB and PKTC-IETF-MTA-MIB; Cisco's command references; public
// logs of modems; the confirmation codes of MULPI, annex C.4. How likely a cause is is a judgement: no statistics are public.
package reason

import "dcs/render/tlv"

// Word is what a CMTS, a modem or an MTA says.
type Word struct {
	Text     string `json:"text"`               // such as "reject(c)", "confirmation code 205", "event I403.0 (73040300)"
	Meaning  string `json:"meaning"`            // a clause
	Recalled bool   `json:"recalled,omitempty"` // the meaning is known only from memory of a specification

	causes []cause
}

// Fact is something that DCS knows about a request, beside the octets of the file.
type Fact uint8

const (
	NoFile        Fact = iota // the request gets no file
	UnknownDevice             // no source has the device
	NoSecret                  // files are signed with the empty secret, as none is configured
	BadModemMIC               // the CM MIC, or the hash of an MTA's file, is wrong
	BadCMTSMIC                // the CMTS MIC is wrong under the secret for the modem's address
	WrongAddress              // the request contradicts the records of devices
)

// File is what is known of the file that a modem gets.
type File struct {
	Tree *tlv.Tree // nil: the modem gets no TLVs
	// Findings are those of lint.
	Findings []Finding
	// Judged reports whether lint judged the file by a rule; nil: it did not run.
	Judged func(rule string) bool
	// Place returns where the statement of the TLV at an offset stands, such as file:line:column; nil or "": the offset is told.
	Place func(offset int) string
	// Facts are those that hold, each with a sentence that says more; it may be empty.
	Facts map[Fact]string
}

// Finding is one of lint's.
type Finding struct {
	Rule  string
	Error bool   // it is an error, rather than a warning or note
	Note  bool   // it is a note, which shows a cause only if that says so
	Where string // position
	Text  string
}

// Grade is what the file says about a cause.
type Grade uint8

const (
	Found   Grade = iota // the file, or the way in which it is served, has such a fault
	Allowed              // the file contains what can fail in this way
	Outside              // the file cannot tell
)

// String returns "found", "possible" or "elsewhere".
func (g Grade) String() string { return [...]string{"found", "possible", "elsewhere"}[g] }

// MarshalText writes the grade as String does.
func (g Grade) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// Cause is one reason why a modem does not come online.
type Cause struct {
	Grade    Grade      `json:"grade"`
	Text     string     `json:"text"`
	Remedy   string     `json:"remedy"`             // where to look, and what to do
	Recalled bool       `json:"recalled,omitempty"` // known only from memory of a specification
	Evidence []Evidence `json:"evidence,omitempty"` // at most four
}

// Evidence shows that a cause applies.
type Evidence struct {
	Where string `json:"where,omitempty"` // position of the statement
	Text  string `json:"text"`
	Rule  string `json:"rule,omitempty"` // of lint
}

// Diagnosis is what a word means for a file.
type Diagnosis struct {
	Word     Word     `json:"word"`
	Causes   []Cause  `json:"causes"`              // the likeliest first
	RuledOut []string `json:"ruled_out,omitempty"` // causes that this file excludes
}

// Diagnose ranks the causes of a word: first those that show in the file, errors before warnings, then those that the file
// allows, then those that it says nothing about.
func Diagnose(w Word, f *File) *Diagnosis {
	d := &Diagnosis{Word: w, Causes: []Cause{}}
	var ranks [4][]Cause // errors found, other things found, allowed, outside
	for i := range w.causes {
		c := &w.causes[i]
		out := Cause{Text: c.text, Remedy: c.remedy, Recalled: c.recalled}
		hard := c.find(f, &out)
		switch {
		case len(out.Evidence) > 0 && hard:
			ranks[0] = append(ranks[0], out)
		case len(out.Evidence) > 0:
			ranks[1] = append(ranks[1], out)
		case c.allowed(f, &out):
			out.Grade = Allowed
			ranks[2] = append(ranks[2], out)
		case c.outside(f):
			out.Grade = Outside
			ranks[3] = append(ranks[3], out)
		default:
			d.RuledOut = append(d.RuledOut, c.text)
		}
	}
	for _, r := range ranks {
		d.Causes = append(d.Causes, r...)
	}
	return d
}
