// Package top shows the state of a running server, as text or on a terminal that is updated in place.
package top

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/adminapi"
)

// Top watches one server.
type Top struct {
	Address  string // for messages
	Client   *client.Client
	Interval time.Duration
}

// fetch returns the server's state. The error wraps a [client.Error] if the server refuses.
func (t *Top) fetch(ctx context.Context) (*adminapi.Top, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	st := &adminapi.Top{}
	if err := t.Client.Get(ctx, adminapi.TopPath, st); err != nil {
		return nil, fmt.Errorf("%s: %w", t.Address, err)
	}
	return st, nil
}

// Once writes the state after one interval as text.
func (t *Top) Once(ctx context.Context, w io.Writer) error {
	before, err := t.fetch(ctx)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(t.Interval):
	}
	now, err := t.fetch(ctx)
	if err != nil {
		return err
	}
	for _, l := range frame(before, now) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(l.text, " ")); err != nil {
			return err
		}
	}
	return nil
}
