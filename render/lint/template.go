package lint

import "dcs/render/tlv"

// templateRules are about templates rather than files: the library applies them, and adds its findings to those of Check.
var templateRules = []Rule{
	{
		ID: PatternNoName, Severity: Warning, In: []tlv.Dialect{}, Cite: "syntax of RE2",
		Meaning: "No name can match the pattern, or only one with a blank: the template makes no file.",
		Remedy:  "correct the pattern",
	},
	{
		ID: CaptureUnread, Severity: Note, In: []tlv.Dialect{}, Cite: "language of templates",
		Meaning: "A named group of the pattern is read by nothing: a misspelt variable, or a leftover.",
		Remedy:  "read it, or write (?:…)",
	},
	{
		ID: ArmUnreachable, Severity: Warning, In: []tlv.Dialect{}, Cite: "language of templates",
		Meaning: "No name leads to a case of a select: the pattern's group never captures its label, or a select around it has excluded it.",
		Remedy:  "correct the label or the pattern, or delete the case",
	},
	{
		ID: NotAllJudged, Severity: Warning, In: []tlv.Dialect{}, Cite: "how templates are judged",
		Meaning: "A template can make more files than are judged: faults of the others are not found.",
		Remedy:  "divide the template, or check a file of it: dcs get -o FILE, dcs check FILE",
	},
}

// Ids of the rules about templates.
const (
	PatternNoName  = "pattern-no-name"
	CaptureUnread  = "capture-unread"
	ArmUnreachable = "arm-unreachable"
	NotAllJudged   = "not-all-judged"
)

// At returns a finding of a rule about templates.
func At(id string, at Place, text string) Finding {
	r := ByID(id)
	return Finding{Rule: r, Severity: r.Severity, Spot: Spot{Place: at}, Text: text, Remedy: r.Remedy}
}
