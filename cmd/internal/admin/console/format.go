package console

import (
	"fmt"
	"html/template"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dcs/render/lint/report"
)

func questionAbout(e Event) Question {
	q := Question{Name: e.Name, MAC: e.MAC.String()}
	if e.Client.IsValid() {
		q.IP = e.Client.WithZone("").String()
	}
	return q
}

func questionQuery(q Question) string {
	v := url.Values{"name": {q.Name}}
	if q.IP != "" {
		v.Set("ip", q.IP)
	}
	if q.MAC != "" {
		v.Set("mac", q.MAC)
	}
	if q.Says != "" {
		v.Set("says", q.Says)
	}
	return v.Encode()
}

func head(list any) any {
	switch list := list.(type) {
	case []Message:
		return list[:min(len(list), pageRows)]
	case []Template:
		return list[:min(len(list), pageRows)]
	}
	return list
}

func verdictClass(v string) string {
	switch v {
	case "valid":
		return "good"
	case "INVALID":
		return "bad"
	}
	return "warn"
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return "—"
	}
	return a.String()
}

// problem returns an error as text for a page.
func problem(err error) string {
	return upper(strings.TrimPrefix(err.Error(), ErrQuestion.Error()+": "))
}

func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(string(r)) + s[n:]
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return num(n) + " " + what + "s"
}

// num writes an integer with a thin space between thousands.
func num(v any) string {
	s := fmt.Sprint(v)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

func rateText(f float64) string {
	switch {
	case f == 0:
		return "0"
	case f < 9.95:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return num(int64(f + .5))
}

func secsText(f float64) string {
	switch {
	case f == 0:
		return "—"
	case f < 1e-3:
		return strconv.FormatFloat(f*1e6, 'f', 0, 64) + "\u00a0µs"
	case f < 1:
		return strconv.FormatFloat(f*1e3, 'f', 1, 64) + "\u00a0ms"
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + "\u00a0s"
}

func agoText(t, now time.Time) string {
	d := max(now.Sub(t), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d\u00a0s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d\u00a0min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d\u00a0h %d\u00a0min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d\u00a0days", int(d.Hours()/24))
}

func clock(t time.Time) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`,
		t.Format(time.RFC3339Nano), t.Format("2006-01-02 15:04:05.000 MST"), t.Format("15:04:05.000")))
}

// spotText returns a position as file:line:column, or file: offset n.
func spotText(s report.Spot) string {
	switch {
	case s.Line > 0:
		return fmt.Sprintf("%s:%d:%d", s.File, s.Line, s.Column)
	case s.Offset != nil:
		return fmt.Sprintf("%s: offset %d", s.File, *s.Offset)
	}
	return s.File
}

func severityClass(severity string) string {
	switch severity {
	case "error":
		return "bad"
	case "warning":
		return "warn"
	}
	return ""
}
