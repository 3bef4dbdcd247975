package server

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"time"

	"dcs/cmd/internal/admin/console"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/metrics"
	"dcs/cmd/internal/version"
	"dcs/fastpath"
	"dcs/render"
	"dcs/render/device"
	"dcs/render/syntax"
)

// journal returns how many outcomes each worker records for the console.
func journal(cfg *config.Config) int {
	if len(cfg.Admin) == 0 {
		return 0
	}
	return assemble.JournalSize
}

// backend shows the server to the console.
type backend struct {
	s       *server
	front   *fastpath.Server
	started time.Time
}

// Facts implements [console.Backend].
func (b *backend) Facts() console.Facts {
	host, _ := os.Hostname() // for the title alone
	f := console.Facts{Version: version.String(), Go: runtime.Version(), Host: host, Started: b.started}
	f.Transport, f.Why = string(b.s.in.Kind()), b.s.in.Why()
	for _, a := range b.s.in.Addrs() {
		f.Listen = append(f.Listen, a.String())
	}
	return f
}

// Metrics implements [console.Backend].
func (b *backend) Metrics() *metrics.Values { return metrics.Read(b.s.readWorkers, b.s.readEngine) }

// reasonText describes why a request got no file; "" if err is nil.
func reasonText(err error) string {
	switch render.ReasonOf(err) {
	case "":
		return ""
	case render.Asking:
		return "looking the device up; the modem's retry will be answered"
	case render.UnknownName:
		return "no template and no static file has this name"
	}
	return err.Error()
}

// validText returns b as valid UTF-8.
func validText(b []byte) string { return strings.ToValidUTF8(string(b), "\ufffd") }

// Outcomes implements [console.Backend].
func (b *backend) Outcomes(each func(console.Event)) uint64 {
	return b.s.engine.Outcomes(func(o *device.Outcome) {
		e := console.Event{
			Time: time.Unix(0, o.Time), Name: validText(o.Name), Client: o.Client.Unmap(), MAC: o.MAC, Served: o.Err == nil, Size: o.Size,
			Reason: o.Reason, Text: reasonText(o.Err), Value: validText(o.Value),
		}
		if o.Truncated {
			e.Name += "…"
		}
		each(e)
	})
}

// Library implements [console.Backend].
func (b *backend) Library() console.Library {
	snap := b.s.engine.Library()
	st := b.s.library
	st.mu.Lock()
	defer st.mu.Unlock()
	l := console.Library{
		Loaded: st.loaded, Failed: st.failed, Static: snap.StaticFiles(), Withheld: snap.Broken(),
		Templates: []console.Template{}, Warnings: []console.Message{}, Errors: []console.Message{},
	}
	for _, t := range snap.Templates() {
		l.Templates = append(l.Templates, console.Template{
			Kind: t.Item.Kind.String(), Names: t.Names, Pattern: t.Pattern, Priority: t.Priority, Pos: t.Pos().String(),
		})
	}
	for _, w := range snap.Warnings {
		l.Warnings = append(l.Warnings, console.Message{Pos: w.Pos.String(), Text: w.Msg})
	}
	for _, err := range st.errs {
		l.HeldBack = l.HeldBack || errors.Is(err, render.ErrHeldBack)
		m := console.Message{Text: err.Error()}
		var at *syntax.Error
		if errors.As(err, &at) {
			m = console.Message{Pos: at.Pos.String(), Text: at.Msg}
		}
		l.Errors = append(l.Errors, m)
	}
	return l
}

// Reload implements [console.Backend].
func (b *backend) Reload(ctx context.Context, force bool) error {
	answer := make(chan error, 1)
	select {
	case b.s.reloads <- reloadRequest{force, answer}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
