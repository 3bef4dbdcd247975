package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"dcs/bench/require"
)

// A request for the header alone tells what GET would, and counts no file; a file that is served as it is can be had in parts.
func TestHTTPParts(t *testing.T) {
	t.Parallel()
	require.Program(t, "curl")
	image := firmware(1 << 20)
	dir := static(t, map[string]string{"fw.bin": string(image), "small": "text"})
	s := serveAll(t, "--static", "../../testdata/static,"+dir)
	at := func(name string) string { return "http://" + s.http + "/boot/" + name }
	for _, name := range []string{"basic.cm", "fw.bin", "small", "nobody"} {
		var header [2]http.Header
		var code [2]int
		var length [2]int64
		for i, method := range []string{http.MethodHead, http.MethodGet} {
			req, err := http.NewRequest(method, at(name), nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil {
				t.Error(err)
			}
			res.Body.Close()
			res.Header.Del("Date")
			header[i], code[i], length[i] = res.Header, res.StatusCode, res.ContentLength
		}
		if fmt.Sprint(header[0]) != fmt.Sprint(header[1]) || code[0] != code[1] || length[0] != length[1] || length[0] < 0 {
			t.Errorf("%s: HEAD %d %v; GET %d %v", name, code[0], header[0], code[1], header[1])
		}
	}
	_, text := get("http://" + s.metrics + "/metrics")
	m := samples(t, text)
	for name, want := range map[string]float64{
		`dcs_files_total{kind="modem"}`: 1, `dcs_files_total{kind="static"}`: 2, `dcs_faults_total{reason="unknown_name"}`: 1,
		`dcs_http_requests_total{code="200"}`: 6, `dcs_http_requests_total{code="404"}`: 2,
	} {
		if m[name] != want {
			t.Errorf("%s is %v, want %v", name, m[name], want)
		}
	}
	// What a broken connection has left is completed.
	out := filepath.Join(t.TempDir(), "fw.bin")
	write(t, out, string(image[:300_000]))
	if said, err := exec.Command("curl", "-sSf", "--noproxy", "*", "--max-time", "60", "-C", "-", "-o", out, at("fw.bin")).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, image) {
		t.Errorf("%d octets, %v", len(got), err)
	}
}
