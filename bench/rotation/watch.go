package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"dcs/bench/rotation/lab"
)

// watch records what can be seen from outside during a rotation.
type watch struct {
	mu   sync.Mutex
	seen map[string]*strings.Builder
}

// record appends text to what was seen in one place.
func (w *watch) record(what, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[what] == nil {
		w.seen[what] = &strings.Builder{}
	}
	w.seen[what].WriteString(text)
}

// pages are the server's pages that say, or might say, something about its secrets.
var pages = []string{"/", "/metrics", "/api/secrets", "/api/events", "/api/status"}

// look records process list and pages once a second, until the context ends.
func (w *watch) look(ctx context.Context, l *lab.Lab) {
	path := strings.TrimPrefix(l.Admin, "unix:")
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		w.record("process list", lab.CommandLines())
		for _, page := range pages {
			resp, err := client.Get("http://localhost" + page)
			if err != nil {
				continue
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			w.record("page "+page, string(body))
		}
		l.Look()
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// texts returns what was seen, by place.
func texts(w *watch) map[string]string {
	all := map[string]string{}
	for what, b := range w.seen {
		all[what] = b.String()
	}
	return all
}
