package lint

import (
	"fmt"
	"strings"
)

//go:generate go run ./document ../../cmd/dcs/doc/lint.md

// tableHeading is the heading that the table of rules stands below; it is the last of its page.
const tableHeading = "## Rules\n"

// Document returns the manual's page with the table of rules below its last heading.
func Document(page string) string {
	head, _, _ := strings.Cut(page, tableHeading)
	var b strings.Builder
	b.WriteString(head + tableHeading + "\n")
	b.WriteString("| rule | severity | modems | what is wrong | remedy | source |\n|---|---|---|---|---|---|\n")
	for _, r := range Rules() {
		severity := r.Severity.String()
		if r.Recalled {
			severity += "¹"
		}
		versions := "all"
		switch {
		case r.Until != AnyVersion && r.Since != AnyVersion:
			versions = r.Since.String() + " to " + r.Until.String()
		case r.Until != AnyVersion:
			versions = "to " + r.Until.String()
		case r.Since != AnyVersion:
			versions = "from " + r.Since.String()
		}
		cell := strings.NewReplacer("|", `\|`).Replace
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", r.ID, severity, versions, cell(r.Meaning), cell(r.Remedy), cell(r.Cite))
	}
	return b.String()
}
