package lint

import "dcs/render/syntax"

// Rules without a function: their findings come from who reads the files.
const (
	sourceID = "source"
	allowID  = "allow-unknown"
)

var sourceRules = []Rule{
	{
		ID: sourceID, Severity: Error, In: all, Cite: "language of templates",
		Meaning: "A file, the configuration, or what it names cannot be read or compiled, or has what the text warns of.",
		Remedy:  "do as the text says",
	},
	{
		ID: allowID, Severity: Warning, In: all, Cite: "language of templates",
		Meaning: "A comment dcs:allow names a rule that does not exist, so it allows nothing.",
		Remedy:  "use an id of the table: dcs check --rules",
	},
}

// Told returns as a finding what somebody else has found while reading a file.
func Told(s Severity, at Spot, text string) Finding {
	return Finding{Rule: ByID(sourceID), Severity: s, Spot: at, Text: text}
}

// Compiled returns the warnings of compiling a file as findings.
func Compiled(warnings syntax.Errors) []Finding {
	out := make([]Finding, len(warnings))
	for i, e := range warnings {
		out[i] = Told(Warning, Spot{Place: Place{Pos: e.Pos}}, e.Msg)
	}
	return out
}
