package rig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/bench/netlab"
)

// The end of a server is noticed at once, not after three minutes.
func TestServerEnds(t *testing.T) {
	netlab.ForTest(t, netlab.Config{}) // decides whether to skip
	r, err := New(TH0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	bin := filepath.Join(r.Dir, "server")
	if err := os.WriteFile(bin, []byte("#!/bin/sh\necho no such option >&2; exit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err = r.Serve(t.Context(), bin, 1070, "modem.bin", nil)
	if err == nil || !strings.Contains(err.Error(), "ended early: exit status 3: no such option") || time.Since(began) > time.Minute {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := Median(c.of); got != c.want {
			t.Errorf("%v: %v, want %v", c.of, got, c.want)
		}
	}
}
