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

// watch keeps what can be seen from outside while it runs.
type watch struct {
	mu   sync.Mutex
	seen map[string]*strings.Builder
}

func (w *watch) keep(what, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[what] == nil {
		w.seen[what] = &strings.Builder{}
	}
	w.seen[what].WriteString(text)
}

// pages are those of the server that tell about its secrets, or might.
var pages = []string{"/", "/metrics", "/api/secrets", "/api/events", "/api/status"}

func (w *watch) look(ctx context.Context, l *lab.Lab) {
	path := strings.TrimPrefix(l.Admin, "unix:")
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		w.keep("process list", lab.CommandLines())
		for _, page := range pages {
			resp, err := client.Get("http://localhost" + page)
			if err != nil {
				continue
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			w.keep("page "+page, string(body))
		}
		l.Look()
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func texts(w *watch) map[string]string {
	all := map[string]string{}
	for what, b := range w.seen {
		all[what] = b.String()
	}
	return all
}
