package bootfile

import (
	"bytes"
	"fmt"
	"strings"

	"dcs/render/mic"
	"dcs/render/plaintext"
	"dcs/render/tlv"
)

// Fault is a kind of error in a file. With any of them, a device or its CMTS rejects the file.
type Fault uint8

const (
	Sound   Fault = iota
	Empty         // no octets, or only zeros
	Cut           // the octets are not TLVs to the end: truncated or overwritten
	NoMIC         // a modem's file without one of its MICs, or without the end-of-data marker
	CMMIC         // the CM MIC does not match the octets before it
	CMTSMIC       // the CMTS MIC, or the extended one, is not valid under any of the secrets
	MTAHash       // the hash does not match the file
	NumFaults
)

var faultNames = [NumFaults]string{"sound", "empty", "cut", "no_mic", "cm_mic", "cmts_mic", "mta_hash"}

// String returns the fault's name in metrics and logs.
func (f Fault) String() string { return faultNames[f] }

// Report is the result of Check.
type Report struct {
	Kind   Kind
	Fault  Fault
	Text   string // description of the fault; empty for a sound file
	Keyed  bool   // the file has a MIC that a secret can verify
	Secret int    // index of the secret under which that MIC is valid; -1: none
}

// Checker verifies files against secrets. It must not be used by several goroutines at once.
type Checker struct {
	Secrets []*mic.Secret // under which files may be signed; empty: keyed MICs are not verified
	last    int           // the one that was valid last, and probably is for the next file
}

// least is the size in octets of the shortest modem file: one value and both MICs. A smaller file that is not text is
// not firmware either.
const least = 40

// Check checks one file.
func (c *Checker) Check(file []byte) Report {
	r := Report{Kind: KindOf(file), Secret: -1}
	switch r.Kind {
	case Other:
		r.other(file)
	case Portal:
		r.portal(file)
	case MTA:
		r.mta(file)
	case Modem:
		c.verify(&r, file)
	}
	return r
}

func (r *Report) fail(f Fault, format string, args ...any) {
	if r.Fault == Sound {
		r.Fault, r.Text = f, fmt.Sprintf(format, args...)
	}
}

// other checks for faults of files of no known kind.
func (r *Report) other(file []byte) {
	switch {
	case len(file) == 0:
		r.fail(Empty, "the file is empty")
	case len(file) > MaxSize:
	case len(bytes.Trim(file, "\x00")) == 0:
		r.fail(Empty, "the file holds nothing but zeros")
	case len(file) < least && !plaintext.Is(file):
		r.fail(Cut, "the file has %d octets, which are neither a text nor a whole boot file", len(file))
	}
}

func (r *Report) portal(file []byte) {
	tree, err := tlv.DecodeAs(tlv.PS, file)
	if err != nil {
		r.fail(Cut, "%v", err)
		return
	}
	if n := len(tree.Nodes); n == 0 || tree.Nodes[n-1].Code != 255 {
		r.fail(Cut, "the end-of-data marker (255) is missing")
	}
}

// verify verifies the MICs of a modem file.
func (c *Checker) verify(r *Report, file []byte) {
	var secret *mic.Secret
	if len(c.Secrets) > 0 {
		secret = c.Secrets[c.last]
	}
	found, err := mic.Verify(file, secret)
	if err != nil {
		r.fail(Cut, "%s", strings.TrimPrefix(err.Error(), "mic: "))
		return
	}
	switch {
	case found.CM.Verdict == mic.Absent && found.CMTS.Verdict == mic.Absent:
		r.fail(NoMIC, "the CM MIC (6) and the CMTS MIC (7) are missing")
	case found.CM.Verdict == mic.Absent:
		r.fail(NoMIC, "the CM MIC (6) is missing")
	case found.CM.Verdict == mic.Invalid:
		r.fail(CMMIC, "the CM MIC (6) is wrong: the file was changed after it was made, or is damaged")
	case found.CMTS.Verdict == mic.Absent:
		r.fail(NoMIC, "the CMTS MIC (7) is missing")
	case !ended(file):
		r.fail(NoMIC, "the end-of-data marker (255) is missing, or more than zeros follows it")
	}
	if r.Keyed = found.CMTS.Verdict != mic.Absent || found.Extended.Verdict != mic.Absent; !r.Keyed || secret == nil {
		return
	}
	for i := range c.Secrets {
		at := (c.last + i) % len(c.Secrets)
		if i > 0 {
			found, _ = mic.Verify(file, c.Secrets[at]) // no error: walked above
		}
		if found.CMTS.Verdict == mic.Invalid || found.Extended.Verdict == mic.Invalid {
			continue
		}
		if found.CMTS.Verdict == mic.Valid || found.Extended.Verdict == mic.Valid {
			c.last, r.Secret = at, at
		}
		return
	}
	what := "the CMTS MIC (7)"
	if found.CMTS.Verdict != mic.Invalid {
		what = "the extended CMTS MIC (43.6.3)"
	}
	r.fail(CMTSMIC, "%s is valid under none of the server's secrets", what)
}

// ended reports whether a modem file that can be walked ends with its marker and zeros.
func ended(file []byte) bool {
	end := 0
	_ = mic.Walk(file, func(_, _, at int, _ byte) bool { end = at; return true }) // walked before
	return end < len(file) && len(bytes.Trim(file[end+1:], "\x00")) == 0
}

// mta verifies the hash of an MTA file. A file without a hash is sound: the MTA gets the hash by SNMP.
func (r *Report) mta(file []byte) {
	if !bytes.HasPrefix(file, opening) {
		r.fail(Cut, "the opening delimiter (fe 01 01) is missing")
		return
	}
	found, err := mic.Verify(file, nil)
	switch {
	case err != nil:
		r.fail(Cut, "%s", strings.TrimPrefix(err.Error(), "mic: "))
	case !bytes.HasSuffix(file, closing) || len(file) == len(opening):
		r.fail(Cut, "the closing delimiter (fe 01 ff) is missing")
	case found.MTA.Verdict == mic.Invalid:
		r.fail(MTAHash, "the hash is wrong: the file was changed after it was made, or is damaged")
	}
}
