package storm

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"time"
)

//go:embed report.html
var reportSource string

// HTML writes the result as one self-contained page, with its styles and plots.
func (r *Result) HTML(w io.Writer) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"us": micros, "n": grouped, "pct": func(part, all int) string {
			if all == 0 {
				return "–"
			}
			return fmt.Sprintf("%.2f %%", 100*float64(part)/float64(all))
		},
		"mul": func(x float64) float64 { return 100 * x },
		"s":   func(x float64) string { return time.Duration(x * 1e9).Round(time.Millisecond).String() },
	}).Parse(reportSource)
	if err != nil {
		return err
	}
	return page.Execute(w, map[string]any{
		"R": r, "Bad": r.Failed + r.Wrong + r.Unfinished,
		"Served": r.servedPlot(), "Latency": r.latencyPlot(), "Retries": r.retriesPlot(), "OverTime": r.latencyOverTime(),
	})
}

// grouped writes a number with commas.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plot is a coordinate system of 720 by 280 units.
type plot struct {
	b          strings.Builder
	x0, x1, y1 float64 // range of values; the lower one of y is 0, or yLow if y is logarithmic
	yLow       float64
}

const (
	plotW, plotH                          = 720.0, 280.0
	marginL, marginR, marginT, marginFoot = 62.0, 14.0, 12.0, 40.0
)

func newPlot(title string, x0, x1, y0, y1 float64) *plot {
	if x1 <= x0 {
		x1 = x0 + 1
	}
	if y1 <= y0 {
		y1 = y0 + 1
	}
	p := &plot{x0: x0, x1: x1, y1: y1, yLow: y0}
	fmt.Fprintf(&p.b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s"><title>%[3]s</title>`, plotW, plotH, template.HTMLEscapeString(title))
	return p
}

func (p *plot) x(v float64) float64 {
	return marginL + (v-p.x0)/(p.x1-p.x0)*(plotW-marginL-marginR)
}

func (p *plot) y(v float64) float64 {
	return plotH - marginFoot - (v-p.yLow)/(p.y1-p.yLow)*(plotH-marginT-marginFoot)
}

func (p *plot) xTick(v float64, label string) {
	fmt.Fprintf(&p.b, `<line class="grid" x1="%.1f" x2="%.1[1]f" y1="%[2]g" y2="%[3]g"/>`, p.x(v), marginT, plotH-marginFoot)
	p.text(p.x(v), plotH-marginFoot+16, "middle", label)
}

func (p *plot) yTick(v float64, label string) {
	fmt.Fprintf(&p.b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, marginL, plotW-marginR, p.y(v), p.y(v))
	p.text(marginL-8, p.y(v)+4, "end", label)
}

func (p *plot) text(x, y float64, anchor, s string) {
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, template.HTMLEscapeString(s))
}

func (p *plot) xLabel(s string) { p.text((marginL+plotW-marginR)/2, plotH-6, "middle", s) }

// line draws a line through points; if filled, down to the axis.
func (p *plot) line(class string, xs, ys []float64, filled bool) {
	if len(xs) == 0 {
		return
	}
	var path strings.Builder
	for i := range xs {
		fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], p.x(xs[i]), p.y(min(max(ys[i], p.yLow), p.y1)))
	}
	if filled {
		fmt.Fprintf(&p.b, `<path class="area %s" d="%sL%.1f %.1fL%.1f %.1[4]fZ"/>`, class, path.String(), p.x(xs[len(xs)-1]), p.y(p.yLow), p.x(xs[0]))
	}
	fmt.Fprintf(&p.b, `<path class="line %s" d="%s"/>`, class, path.String())
}

// bar draws a bar from the axis up to y, from x a to b.
func (p *plot) bar(class string, a, b, y float64) {
	if y <= 0 {
		return
	}
	top := p.y(y)
	fmt.Fprintf(&p.b, `<rect class="bar %s" x="%.1f" y="%.1f" width="%.2f" height="%.1f"/>`, class, p.x(a), top, max(p.x(b)-p.x(a)-0.4, 0.6), p.y(p.yLow)-top)
}

func (p *plot) marks(events []Mark) {
	for i, m := range events {
		fmt.Fprintf(&p.b, `<line class="mark" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/>`, p.x(m.At), p.x(m.At), marginT, plotH-marginFoot)
		p.text(p.x(m.At)+4, marginT+10+float64(i%3)*13, "start", m.Name)
	}
}

func (p *plot) svg() template.HTML {
	fmt.Fprintf(&p.b, `<line class="axis" x1="%g" x2="%g" y1="%[3]g" y2="%[3]g"/></svg>`, marginL, plotW-marginR, plotH-marginFoot)
	// Consists of numbers and of texts that were escaped.
	return template.HTML(p.b.String())
}

// nice returns about n ticks of an axis from 0, in steps of 1, 2 or 5 times a power of ten.
func nice(top float64, n int) []float64 {
	if top <= 0 {
		top = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(top/float64(n))))
	for _, f := range []float64{1, 2, 5, 10} {
		if top/(step*f) <= float64(n) {
			step *= f
			break
		}
	}
	var v []float64
	for x := 0.0; x < top+step; x += step {
		v = append(v, x)
	}
	return v
}

func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", math.Round(v/1e4)/100)
	case v >= 1e4:
		return fmt.Sprintf("%gk", math.Round(v/100)/10)
	}
	return fmt.Sprintf("%g", math.Round(v*1000)/1000)
}

// timePlot returns a plot with its axes over the time of the load.
func (r *Result) timePlot(title string, top float64) *plot {
	end := r.Elapsed
	ys := nice(top, 5)
	p := newPlot(title, 0, end, 0, ys[len(ys)-1])
	for _, y := range ys {
		p.yTick(y, short(y))
	}
	for _, x := range nice(end, 9) {
		if x <= end {
			p.xTick(x, short(x))
		}
	}
	p.xLabel("seconds since the start")
	return p
}

// servedPlot shows downloads requested, served and waiting over time.
func (r *Result) servedPlot() template.HTML {
	var t, served, offered, waiting []float64
	t, served, offered, waiting = append(t, 0), append(served, 0), append(offered, 0), append(waiting, 0)
	var s, o float64
	for i := range r.Timeline {
		m := &r.Timeline[i]
		s += float64(m.Served)
		o += float64(m.Offered)
		t, served, offered, waiting = append(t, m.At), append(served, s), append(offered, o), append(waiting, float64(m.Waiting))
	}
	p := r.timePlot("Modems served over time", o)
	p.line("c2", t, offered, false)
	p.line("c1", t, served, true)
	p.line("c3", t, waiting, false)
	p.marks(r.Events)
	return p.svg()
}

// latencyPlot shows the latency, logarithmic, by percentile, in nines.
func (r *Result) latencyPlot() template.HTML {
	nines := func(percent float64) float64 { return -math.Log10(1 - min(percent, 99.9999)/100) }
	var xs, ys []float64
	low, high := math.Inf(1), math.Inf(-1)
	for _, b := range r.Distribution {
		if b.Micros <= 0 {
			continue
		}
		y := math.Log10(b.Micros)
		xs, ys = append(xs, nines(b.Percent)), append(ys, y)
		low, high = min(low, y), max(high, y)
	}
	if len(xs) == 0 {
		low, high = 0, 1
	}
	low, high = math.Floor(low), math.Ceil(high+1e-9)
	right := 1.0
	if len(xs) > 0 {
		right = max(right, xs[len(xs)-1])
	}
	p := newPlot("Distribution of latency", 0, right, low, high)
	for y := low; y <= high; y++ {
		p.yTick(y, micros(math.Pow(10, y)).String())
	}
	for _, q := range []float64{0, 50, 90, 99, 99.9, 99.99, 99.999} {
		if x := nines(q); x <= right {
			p.xTick(x, fmt.Sprintf("%g %%", q))
		}
	}
	p.xLabel("part of the downloads that took at most so long")
	p.line("c1", xs, ys, true)
	return p.svg()
}

func (r *Result) retriesPlot() template.HTML {
	top := 0.0
	for i := range r.Timeline {
		top = max(top, float64(r.Timeline[i].Retries), float64(r.Timeline[i].Failed))
	}
	p := r.timePlot("Retries and failures over time", max(top, 4))
	from := 0.0
	for i := range r.Timeline {
		m := &r.Timeline[i]
		p.bar("c3", from, m.At, float64(m.Retries))
		p.bar("c4", from, m.At, float64(m.Failed))
		from = m.At
	}
	p.marks(r.Events)
	return p.svg()
}

// latencyOverTime shows the latency of each interval, logarithmic.
func (r *Result) latencyOverTime() template.HTML {
	low, high := math.Inf(1), math.Inf(-1)
	for i := range r.Timeline {
		if m := &r.Timeline[i]; m.P50 > 0 {
			low, high = min(low, math.Log10(m.P50)), max(high, math.Log10(m.P999))
		}
	}
	if low > high {
		low, high = 0, 1
	}
	low, high = math.Floor(low), math.Ceil(high+1e-9)
	p := newPlot("Latency over time", 0, r.Elapsed, low, high)
	for y := low; y <= high; y++ {
		p.yTick(y, micros(math.Pow(10, y)).String())
	}
	for _, x := range nice(r.Elapsed, 9) {
		if x <= r.Elapsed {
			p.xTick(x, short(x))
		}
	}
	p.xLabel("seconds since the start")
	for _, c := range []struct {
		class string
		of    func(*Sample) float64
	}{
		{"c3", func(s *Sample) float64 { return s.P999 }},
		{"c2", func(s *Sample) float64 { return s.P99 }},
		{"c1", func(s *Sample) float64 { return s.P50 }},
	} {
		var xs, ys []float64
		for i := range r.Timeline {
			if v := c.of(&r.Timeline[i]); v > 0 {
				xs, ys = append(xs, r.Timeline[i].At), append(ys, math.Log10(v))
			}
		}
		p.line(c.class, xs, ys, false)
	}
	p.marks(r.Events)
	return p.svg()
}
