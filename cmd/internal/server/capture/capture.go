// Package capture writes the packets that XDP takes from a running server's interfaces as pcapng, on the operator's request.
package capture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"dcs/bpf"
	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/ingress"
	"dcs/render/device"
)

// Path is the admin API's call for captures: POST begins one and streams its file, GET shows its [State], DELETE ends it.
const Path = "/api/capture"

// Bounds of a capture.
const (
	MinSnap         = 32 // octets of a frame
	DefaultDuration = 10 * time.Minute
	maxDuration     = 24 * time.Hour
	DefaultMiB      = 64
	MaxMiB          = 1024
	// stallTime is how long a client may take to read a part of the file.
	stallTime = 30 * time.Second
)

// HTTP trailers of the answer.
const (
	TrailerEnd    = "Dcs-Capture-End"
	TrailerFrames = "Dcs-Capture-Frames"
	TrailerLost   = "Dcs-Capture-Lost"
)

// Request says what to capture, and how much. Missing fields have defaults.
type Request struct {
	MAC     string  `json:"mac,omitempty"`     // in the Ethernet header: the client's or its router's; default any
	IP      string  `json:"ip,omitempty"`      // address or prefix of the client; default any
	Count   uint64  `json:"count,omitempty"`   // most frames; 0: no limit
	Seconds float64 `json:"seconds,omitempty"` // longest time; default DefaultDuration
	MiB     int     `json:"mib,omitempty"`     // largest file; default DefaultMiB
	Snap    int     `json:"snap,omitempty"`    // most octets of a frame; default bpf.MaxSnap

	mac    device.MAC
	prefix netip.Prefix
}

// Check parses the addresses, sets the defaults and checks the limits.
func (w *Request) Check() error {
	if w.MAC != "" {
		var err error
		if w.mac, err = device.ParseMAC(w.MAC); err != nil {
			return fmt.Errorf("mac %s: want six octets, such as 0a:01:02:03:04:05", w.MAC)
		}
	}
	if w.IP != "" {
		var err error
		if w.prefix, err = config.ParsePrefix(w.IP); err != nil {
			return fmt.Errorf("ip: %w", err)
		}
	}
	if w.Seconds == 0 {
		w.Seconds = DefaultDuration.Seconds()
	}
	if w.MiB == 0 {
		w.MiB = DefaultMiB
	}
	if w.Snap == 0 {
		w.Snap = bpf.MaxSnap
	}
	switch {
	case !(w.Seconds > 0 && w.Seconds <= maxDuration.Seconds()):
		return fmt.Errorf("%v seconds: want more than 0, at most %v", w.Seconds, maxDuration.Seconds())
	case w.MiB < 1 || w.MiB > MaxMiB:
		return fmt.Errorf("%d MiB: want 1 to %d", w.MiB, MaxMiB)
	case w.Snap < MinSnap || w.Snap > bpf.MaxSnap:
		return fmt.Errorf("%d octets of a frame: want %d to %d", w.Snap, MinSnap, bpf.MaxSnap)
	}
	return nil
}

func (w *Request) limits() captureLimits {
	return captureLimits{count: w.Count, octets: int64(w.MiB) << 20, snap: w.Snap}
}

// text returns the filter in the syntax of pcap-filter(7), "" for none.
func (w *Request) text() string {
	var all []string
	if w.MAC != "" {
		all = append(all, "ether host "+net.HardwareAddr(w.mac[:]).String())
	}
	switch {
	case !w.prefix.IsValid():
	case w.prefix.IsSingleIP():
		all = append(all, "host "+w.prefix.Addr().String())
	default:
		all = append(all, "net "+w.prefix.String())
	}
	return strings.Join(all, " and ")
}

// State describes the running capture.
type State struct {
	Running bool       `json:"running"`
	Since   *time.Time `json:"since,omitempty"`
	Filter  string     `json:"filter,omitempty"`
	Frames  uint64     `json:"frames"` // written so far
}

// Service runs the captures of a server, one at a time.
type Service struct {
	Log      *slog.Logger
	Steering *ingress.Steering // nil: no XDP program runs

	mu     sync.Mutex
	run    *captureRun // nil: none
	stop   context.CancelCauseFunc
	frames uint64 // written by captures that have ended
	lost   uint64 // dropped by captures that have ended
}

var errBusy = errors.New("another capture is running; DELETE " + Path + " ends it")

// begin opens a capture. The returned context ends with ctx, with the capture's time, or by cancel.
func (c *Service) begin(ctx context.Context, w *Request) (*captureRun, context.Context, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run != nil {
		return nil, nil, errBusy
	}
	run, err := openCapture(c.Steering, w)
	if err != nil {
		return nil, nil, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	timer := time.AfterFunc(time.Duration(w.Seconds*float64(time.Second)), func() { stop(errDuration) })
	context.AfterFunc(ctx, func() { timer.Stop() })
	c.run, c.stop = run, stop
	return run, ctx, nil
}

// end closes what begin has opened.
func (c *Service) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	run := c.run
	c.stop(nil)
	c.run, c.stop = nil, nil
	c.frames += run.frames.Load()
	c.lost += run.lost.Load()
	return run.close()
}

// cancel ends the running capture.
func (c *Service) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run != nil {
		c.stop(errStopped)
	}
}

func (c *Service) state() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run == nil {
		return State{}
	}
	return State{true, &c.run.started, c.run.filter, c.run.frames.Load()}
}

// Totals returns how many frames were written and lost by all captures, and whether one is running.
func (c *Service) Totals() (frames, lost uint64, running bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run == nil {
		return c.frames, c.lost, false
	}
	return c.frames + c.run.frames.Load(), c.lost + c.run.lost.Load(), true
}

var errNoXDP = errors.New("no interface has an XDP program; use tcpdump, which sees every packet")

// Register registers the calls for captures. Captures end with ctx. Like a change, they need a known caller: they contain
// subscribers' files.
func (c *Service) Register(ctx context.Context, a *admin.Server) {
	a.Handle("GET "+Path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		admin.WriteJSON(w, c.state())
	}))
	a.Handle("DELETE "+Path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c.cancel()
		admin.WriteJSON(w, struct{}{})
	}))
	a.Handle("POST "+Path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req Request
		if err := readRequest(r, &req); err != nil {
			admin.WriteError(w, http.StatusBadRequest, fmt.Errorf("capture: %w", err))
			return
		}
		if c.Steering == nil {
			admin.WriteError(w, http.StatusConflict, errNoXDP)
			return
		}
		run, during, err := c.begin(r.Context(), &req)
		switch {
		case errors.Is(err, errBusy):
			admin.WriteError(w, http.StatusConflict, err)
			return
		case err != nil:
			admin.WriteError(w, http.StatusInternalServerError, err)
			return
		}
		defer context.AfterFunc(ctx, c.cancel)()
		a.Audit(r, "capture started", slog.String("filter", run.filter), slog.Int("snap", req.Snap))
		end, err := c.stream(during, w, run)
		if e := c.end(); err == nil {
			err = e
		}
		args := []any{"end", end, "frames", run.frames.Load(), "lost", run.lost.Load(), "octets", run.octets}
		if err != nil {
			args = append(args, "err", err)
		}
		c.Log.Info("capture ended", args...)
	}))
}

func readRequest(r *http.Request, w *Request) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(w); err != nil && !errors.Is(err, io.EOF) { // an empty body has all defaults
		return err
	}
	// The server notices a disconnect only after it has read the body's end.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return err
	}
	return w.Check()
}

// stream sends a capture's file while it grows.
func (c *Service) stream(ctx context.Context, w http.ResponseWriter, run *captureRun) (end string, err error) {
	rc := http.NewResponseController(w)
	if err := rc.SetReadDeadline(time.Time{}); err != nil { // else the deadline would look like a disconnect
		return endClient, err
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-pcapng")
	h.Set("Trailer", strings.Join([]string{TrailerEnd, TrailerFrames, TrailerLost}, ", "))
	out := bufio.NewWriterSize(w, 64<<10)
	extend := func() error { return rc.SetWriteDeadline(time.Now().Add(stallTime)) }
	write := writerFunc(func(b []byte) (int, error) {
		if err := extend(); err != nil {
			return 0, err
		}
		return out.Write(b)
	})
	end, err = run.run(ctx, c.Steering, write, func() error { return errors.Join(extend(), out.Flush(), rc.Flush()) })
	h.Set(TrailerEnd, end)
	h.Set(TrailerFrames, strconv.FormatUint(run.frames.Load(), 10))
	h.Set(TrailerLost, strconv.FormatUint(run.lost.Load(), 10))
	return end, err
}
