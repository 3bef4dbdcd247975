package console

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (p *site) overview(_ *http.Request, pg *page) (int, error) {
	s := p.c.State()
	pg.Live, pg.State = true, &s
	pg.Chart, pg.Peak = chart(s.History)
	pg.Failures = p.c.search(query{Which: "failed", Limit: 8}).Events
	return http.StatusOK, nil
}

func (p *site) events(r *http.Request, pg *page) (int, error) {
	q, err := searchOf(r, pageEvents)
	pg.Query = q
	if err != nil {
		return 0, err
	}
	pg.Live = q.Before == 0
	pg.Searched = q.Text != "" || q.Reason != "" || q.Which != ""
	pg.Events = p.c.search(q)
	for _, c := range reasons(p.c.b.Metrics()) {
		pg.Reasons = append(pg.Reasons, chosen{c.Name, c.Name == q.Reason})
	}
	if q.Reason != "" && !slices.Contains(pg.Reasons, chosen{q.Reason, true}) {
		pg.Reasons = append(pg.Reasons, chosen{q.Reason, true})
	}
	if n := len(pg.Events.Events); pg.Events.More && n > 0 {
		v := r.URL.Query()
		v.Set("before", strconv.FormatUint(pg.Events.Events[n-1].ID, 10))
		pg.Older = "/events?" + v.Encode()
	}
	return http.StatusOK, nil
}

func (p *site) explain(r *http.Request, pg *page) (int, error) {
	q := questionOf(r)
	pg.Question = q
	if q == (Question{}) {
		return http.StatusOK, nil
	}
	x, err := p.c.b.Explain(r.Context(), q)
	if err != nil {
		return 0, err
	}
	pg.X = x
	pg.Download = "/api/file?" + questionQuery(Question{Name: q.Name, IP: q.IP, MAC: q.MAC})
	pg.Advice = advice(x)
	if l := p.c.b.Library(); x.Error != "" && len(l.Errors) > 0 {
		pg.Suspect = fmt.Sprintf("%s in the library, which is not fully loaded", plural(len(l.Errors), "error"))
	}
	shown := x.Body
	if len(shown) > pageOctets {
		shown, pg.HexCut = shown[:pageOctets], pageOctets
	}
	if x.Text == "" {
		pg.Hex = hexView(shown, x.Tree)
	}
	pg.ShortText = x.Text
	if len(x.Text) > pageText {
		pg.ShortText = strings.ToValidUTF8(x.Text[:pageText], "") + "\n…"
	}
	return http.StatusOK, nil
}

// advice returns what an operator may check next.
func advice(x *Explanation) string {
	switch x.Reason {
	case "unknown_name":
		return "DHCP gave the modem a name that the library does not have. Compare it with the templates on the Library page."
	case "missing_attribute":
		return "Add the attribute to the device, or a default to the template."
	case "no_mac":
		return "The name contains no MAC address, and no source knows the modem's IP address. Enter the MAC address, or check the Devices page."
	case "asking":
		return "A device source is slow or down. The Devices page shows the state of each."
	}
	return ""
}

func (p *site) library(r *http.Request, pg *page) (int, error) {
	l := p.c.b.Library()
	pg.Library = &l
	pg.Query.Text = r.URL.Query().Get("q")
	word := strings.ToLower(pg.Query.Text)
	for _, t := range l.Templates {
		if strings.Contains(strings.ToLower(t.Kind+"\n"+strings.Join(t.Names, "\n")+"\n"+t.Pattern+"\n"+t.Pos), word) {
			pg.Found = append(pg.Found, t)
		}
	}
	if r.URL.Query().Get("done") == "reload" && len(l.Errors) == 0 {
		pg.Notice = "The library was reloaded."
	}
	return http.StatusOK, nil
}

func (p *site) check(r *http.Request, pg *page) (int, error) {
	v := r.URL.Query()
	pg.Template, pg.Notes, pg.Query.Text = v.Get("template"), v.Get("notes") == "on", v.Get("q")
	c, err := p.c.check(r)
	if err != nil {
		return 0, err
	}
	pg.Check, pg.Live = c, c.Running
	word := strings.ToLower(pg.Query.Text)
	for _, f := range c.Findings {
		if strings.Contains(strings.ToLower(f.Severity+"\n"+f.Rule+"\n"+spotText(f.Spot)+"\n"+f.Text), word) {
			pg.Findings = append(pg.Findings, f)
		}
	}
	return http.StatusOK, nil
}

func (p *site) reload(w http.ResponseWriter, r *http.Request) {
	// The next page shows the errors.
	_ = p.c.b.Reload(r.Context(), r.PostFormValue("force") != "")
	http.Redirect(w, r, "/library?done=reload", http.StatusSeeOther)
}

func (p *site) devices(r *http.Request, pg *page) (int, error) {
	pg.Live, pg.Sources = true, p.c.b.Devices()
	if r.URL.Query().Get("done") == "reload" {
		pg.Notice = "The devices are being reloaded."
	}
	return http.StatusOK, nil
}

func (p *site) reloadDevices(w http.ResponseWriter, r *http.Request) {
	if err := p.c.b.ReloadDevices(r.PostFormValue("source"), r.PostFormValue("force") != ""); err != nil {
		p.show(w, r, http.StatusUnprocessableEntity, "devices", &page{Title: "Devices", Problem: problem(err), Sources: p.c.b.Devices()})
		return
	}
	http.Redirect(w, r, "/devices?done=reload", http.StatusSeeOther)
}

func (p *site) limits(r *http.Request, pg *page) (int, error) {
	pg.Limits = p.c.b.Limits()
	if r.URL.Query().Get("done") == "set" {
		pg.Notice = "The limits are in force."
	}
	return http.StatusOK, nil
}

func (p *site) setLimits(w http.ResponseWriter, r *http.Request) {
	l := Limits{Allow: strings.FieldsFunc(r.PostFormValue("allow"), func(c rune) bool { return strings.ContainsRune(" ,\t\r\n", c) })}
	var err error
	if l.Rate, err = strconv.ParseFloat(strings.TrimSpace(r.PostFormValue("rate")), 64); err != nil {
		err = fmt.Errorf("%q is not a number of requests per second", r.PostFormValue("rate"))
	}
	if err == nil {
		if l.Burst, err = strconv.Atoi(strings.TrimSpace(r.PostFormValue("burst"))); err != nil {
			err = fmt.Errorf("%q is not a number of requests", r.PostFormValue("burst"))
		}
	}
	if err == nil {
		err = p.c.b.SetLimits(l)
	}
	if err != nil {
		p.show(w, r, http.StatusUnprocessableEntity, "limits", &page{Title: "Limits", Problem: upper(err.Error()) + ". The limits are unchanged.", Limits: &l})
		return
	}
	http.Redirect(w, r, "/limits?done=set", http.StatusSeeOther)
}
