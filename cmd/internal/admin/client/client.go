// Package client talks to the admin API of a server.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"dcs/render/secret"
)

// Client talks to one server. Any number of goroutines may use it.
type Client struct {
	base  string
	token secret.Text
	http  *http.Client
}

// maxAnswer is what an answer may have, in octets.
const maxAnswer = 64 << 20

// Dial returns a client of the server at an address as the configuration has it: host:port, unix:/path, or a URL
// (https://host:port). The token may be zero. Dial does not connect yet.
func Dial(address string, token secret.Text) *Client { return DialTLS(address, token, nil) }

// DialTLS is Dial with a TLS configuration, which makes host:port HTTPS; nil: none.
func DialTLS(address string, token secret.Text, c *tls.Config) *Client {
	transport := &http.Transport{TLSClientConfig: c, MaxIdleConns: 2, IdleConnTimeout: 20 * time.Second, ForceAttemptHTTP2: true}
	var base string
	switch path, unix := strings.CutPrefix(address, "unix:"); {
	case unix:
		base = "http://dcs"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}
	case strings.Contains(address, "://"):
		base = strings.TrimSuffix(address, "/")
	case c != nil:
		base = "https://" + address
	default:
		base = "http://" + address
	}
	return &Client{base: base, token: token, http: &http.Client{Transport: transport}}
}

// Error is what the server has answered instead of what it was asked for.
type Error struct {
	Status int // of HTTP
	Text   string
}

func (e *Error) Error() string { return e.Text }

// Call sends in, unless it is nil, as JSON, and reads the answer into out, unless that is nil. The error is an
// *Error if the server has refused.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.Stream(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := readAnswer(resp)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// Stream sends in, unless it is nil, as JSON, and returns the answer, whose body is the caller's to read and close. The error is an
// *Error if the server has refused.
func (c *Client) Stream(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !c.token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unanswered(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	answer, err := readAnswer(resp)
	if err != nil {
		return nil, err
	}
	var e struct{ Error string }
	if json.Unmarshal(answer, &e) != nil || e.Error == "" {
		e.Error = strings.TrimSpace(fmt.Sprintf("%s %s: %s %.200s", method, path, resp.Status, bytes.TrimSpace(answer)))
	}
	return nil, &Error{resp.StatusCode, e.Error}
}

// unanswered shortens an error of net/http, which has the URL; that of a Unix socket is made up.
func unanswered(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no server answers: %w; is it running?", err)
	}
	return err
}

// readAnswer reads an answer that has to fit into memory.
func readAnswer(resp *http.Response) ([]byte, error) {
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = fmt.Errorf("%s %s: the answer is longer than %d MiB", resp.Request.Method, resp.Request.URL.Path, maxAnswer>>20)
	}
	return answer, err
}

// Get asks for path.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.Call(ctx, http.MethodGet, path, nil, out)
}

// Post sends in to path.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	return c.Call(ctx, http.MethodPost, path, in, out)
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }
