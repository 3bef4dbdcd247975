package lint

import (
	"errors"

	"dcs/render/syntax"
)

// Rules without a function: their findings come from who reads the files.
const (
	sourceID = "source"
	allowID  = "allow-unknown"
)

var sourceRules = []Rule{
	{
		ID: sourceID, Severity: Error, In: all, Cite: "language of templates",
		Meaning: "A text, a configuration or something that it names cannot be read or compiled, or is not as it should be.",
		Remedy:  "mend it as the text says",
	},
	{
		ID: allowID, Severity: Warning, In: all, Cite: "language of templates",
		Meaning: "A comment dcs:allow names a rule that does not exist, so it allows nothing.",
		Remedy:  "use an id of the table: dcs check --rules",
	},
}

// Unreadable returns the errors of reading or compiling a file as findings; each has its position if it is, or wraps, a
// [syntax.Error].
func Unreadable(file string, err error) []Finding {
	var errs syntax.Errors
	if errors.As(err, &errs) {
		return sources(Error, errs)
	}
	return []Finding{Told(Error, Spot{File: file}, err.Error())}
}

// Told returns as a finding what somebody else has found while reading a file.
func Told(s Severity, at Spot, text string) Finding {
	return Finding{Rule: ByID(sourceID), Severity: s, Spot: at, Text: text}
}

// Compiled returns the warnings of compiling a file as findings.
func Compiled(warnings syntax.Errors) []Finding { return sources(Warning, warnings) }

func sources(s Severity, errs syntax.Errors) []Finding {
	out := make([]Finding, len(errs))
	for i, e := range errs {
		out[i] = Told(s, Spot{Place: Place{Pos: e.Pos}}, e.Msg)
	}
	return out
}
