package console

import (
	"fmt"
	"html/template"
	"strings"
)

// chart draws served and failed requests, one step per second. It returns the peak rate, too.
func chart(h []Rates) (template.HTML, float64) {
	const width, height = historySeconds - 1, 100.0
	top, peak := 1.0, 0.0
	for _, r := range h {
		peak = max(peak, r.Requests)
		top = max(top, r.Served, r.Failed)
	}
	line := func(of func(Rates) float64) string {
		var b strings.Builder
		for i, r := range h {
			fmt.Fprintf(&b, "%d,%.1f ", width-len(h)+1+i, height-of(r)/top*(height-4))
		}
		return b.String()
	}
	served := line(func(r Rates) float64 { return r.Served })
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d 101" preserveAspectRatio="none" role="img" aria-label="Requests served and failed in each second of the last five minutes; the peak is %s a second">`, width, rateText(peak))
	for _, y := range []int{4, 52, 100} {
		fmt.Fprintf(&b, `<line class="grid" x1="0" x2="%d" y1="%d" y2="%d"/>`, width, y, y)
	}
	if len(h) > 1 {
		fmt.Fprintf(&b, `<polygon class="area" points="%d,100 %s%d,100"/><polyline class="line" points="%s"/>`, width-len(h)+1, served, width, served)
		fmt.Fprintf(&b, `<polyline class="fail" points="%s"/>`, line(func(r Rates) float64 { return r.Failed }))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()), peak
}
