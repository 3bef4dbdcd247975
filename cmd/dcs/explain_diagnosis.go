package main

import (
	"fmt"
	"io"
	"strings"

	"dcs/render/lint/reason"
)

// showDiagnosis prints why a modem does not come online.
func showDiagnosis(w io.Writer, d *reason.Diagnosis) {
	fmt.Fprintf(w, "\n%s: %s%s\n", d.Word.Text, d.Word.Meaning, recalled(d.Word.Recalled))
	for i := range d.Causes {
		c := &d.Causes[i]
		fmt.Fprintf(w, "%-9s %s%s\n", c.Grade, c.Text, recalled(c.Recalled))
		for _, e := range c.Evidence {
			fmt.Fprintf(w, "          ")
			if e.Where != "" {
				fmt.Fprintf(w, "%s: ", e.Where)
			}
			fmt.Fprint(w, e.Text)
			if e.Rule != "" {
				fmt.Fprintf(w, " [%s]", e.Rule)
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "          → %s\n", c.Remedy)
	}
	if len(d.RuledOut) > 0 {
		fmt.Fprintf(w, "ruled out %s\n", strings.Join(d.RuledOut, "; "))
	}
}

// recalled marks what no text of a specification confirms.
func recalled(yes bool) string {
	if yes {
		return " (unverified)"
	}
	return ""
}
