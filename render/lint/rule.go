package lint

import (
	"fmt"
	"slices"
	"sync"

	"dcs/render/tlv"
)

// Version is a version of DOCSIS.
type Version uint8

const (
	AnyVersion Version = iota
	V10
	V11
	V20
	V30
	V31
	V40
)

var versionNames = [...]string{"", "1.0", "1.1", "2.0", "3.0", "3.1", "4.0"}

// String returns the version as written, such as "3.1".
func (v Version) String() string { return versionNames[v] }

// ParseVersion reads a version from "1.0" to "4.0".
func ParseVersion(text string) (Version, error) {
	if i := slices.Index(versionNames[1:], text); i >= 0 {
		return Version(i + 1), nil
	}
	return AnyVersion, fmt.Errorf("%q is no version of DOCSIS; use 1.0, 1.1, 2.0, 3.0, 3.1 or 4.0", text)
}

// Rule is one row of the table.
type Rule struct {
	ID       string
	Severity Severity // of its findings, unless a finding has its own
	Since    Version  // modems of this version and later; AnyVersion: all
	Until    Version  // modems up to this version; AnyVersion: all
	// In are the dialects of files that the rule applies to; nil: those of modems and D-ONUs.
	In []tlv.Dialect
	// Recalled is set if the rule, or its effect, is known only from memory of a specification: no text of it was at hand.
	Recalled bool
	Cite     string // where the rule is from
	Meaning  string // what is wrong and what comes of it, one sentence
	Remedy   string // what to write instead

	check func(*check)
}

// modems are the dialects of rules that name none.
var modems = []tlv.Dialect{tlv.CM, tlv.DPoE}

// all are all dialects.
var all = []tlv.Dialect{tlv.CM, tlv.MTA, tlv.PS, tlv.DPoE}

// Dialects returns the dialects of files that the rule applies to.
func (r *Rule) Dialects() []tlv.Dialect {
	if r.In == nil {
		return modems
	}
	return r.In
}

// Applies reports whether Check judges a file by the rule.
func (r *Rule) Applies(f *File, o *Options) bool {
	switch {
	case r.check == nil || slices.Contains(o.Without, r.ID):
		return false
	case !slices.Contains(r.Dialects(), f.Dialect):
		return false
	case o.Version == AnyVersion:
		return r.Until == AnyVersion
	}
	return o.Version >= r.Since && (r.Until == AnyVersion || o.Version <= r.Until)
}

// Optional reports whether the rule may be left out.
func (r *Rule) Optional() bool { return r.ID != sourceID && r.ID != allowID }

// Rules returns the table, in the order of its subjects. It must not be modified.
var Rules = sync.OnceValue(func() []*Rule {
	var out []*Rule
	for _, rows := range [][]Rule{
		fileRules,
		micRules,
		wireRules,
		repeatRules,
		sizeRules,
		channelRules,
		cosRules,
		cpeRules,
		originRules,
		softwareRules,
		certificateRules,
		privacyRules,
		flowRules,
		classNameRules,
		rateRules,
		schedulingRules,
		aggregateRules,
		classifierRules,
		criteriaRules,
		dropRules,
		headerRules,
		snmpRules,
		rowRules,
		accessRules,
		filterRules,
		vendorRules,
		extendedMICRules,
		l2vpnRules,
		esafeRules,
		erouterRules,
		mtaRules,
		lineRules,
		rangeRules, // the last that judge
		templateRules,
		sourceRules,
	} {
		for i := range rows {
			out = append(out, &rows[i])
		}
	}
	return out
})

// ByID returns the rule of an id; nil: there is none.
func ByID(id string) *Rule {
	for _, r := range Rules() {
		if r.ID == id {
			return r
		}
	}
	return nil
}
