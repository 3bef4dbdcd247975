// Package capture writes what XDP takes from a running server's interfaces as pcapng, on the operator's request.
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

// Path is the admin API's call for captures: POST begins one and answers with its file as it grows, DELETE ends it.
const Path = "/api/capture"

// Bounds of a capture.
const (
	MinSnap         = 32 // octets of a frame
	DefaultDuration = 10 * time.Minute
	maxDuration     = 24 * time.Hour
	DefaultMiB      = 64
	MaxMiB          = 1024
	// captureStall is how long a client may leave what it is sent unread.
	captureStall = 30 * time.Second
)

// Trailers of the answer.
const (
	TrailerEnd    = "Dcs-Capture-End"
	TrailerFrames = "Dcs-Capture-Frames"
	TrailerLost   = "Dcs-Capture-Lost"
)

// Wish says what is to be captured, and how much. What is left away has its default.
type Wish struct {
	MAC     string  `json:"mac,omitempty"` // in the Ethernet header, of the client or of the router before it; default any
	IP      string  `json:"ip,omitempty"`  // address or prefix of the client; default any
	Count   uint64  `json:"count,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	MiB     int     `json:"mib,omitempty"` // of the file
	Snap    int     `json:"snap,omitempty"`

	mac    device.MAC
	prefix netip.Prefix
}

// Check reads what is text, and puts the defaults in place.
func (w *Wish) Check() error {
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

func (w *Wish) limits() captureLimits {
	return captureLimits{count: w.Count, octets: int64(w.MiB) << 20, snap: w.Snap}
}

// text returns the filter as pcap-filter(7) has it, empty for none.
func (w *Wish) text() string {
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

// CaptureState is the capture that runs, as the API shows it.
type CaptureState struct {
	Running bool       `json:"running"`
	Since   *time.Time `json:"since,omitempty"`
	Filter  string     `json:"filter,omitempty"`
	Frames  uint64     `json:"frames"` // that were written
}

// Service is the captures of a server, of which one runs at a time.
type Service struct {
	Log      *slog.Logger
	Steering *ingress.Steering // nil: no XDP program runs

	mu     sync.Mutex
	run    *captureRun // nil: none
	stop   context.CancelCauseFunc
	frames uint64 // written and lost by those that have ended
	lost   uint64
}

var errBusyCapture = errors.New("another capture is running: DELETE " + Path + " ends it")

// begin opens a capture that ctx, stop or its time ends.
func (c *Service) begin(ctx context.Context, w *Wish) (*captureRun, context.Context, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run != nil {
		return nil, nil, errBusyCapture
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

// end gives back what begin has opened.
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

// cancel has the capture that runs come to its end.
func (c *Service) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run != nil {
		c.stop(errStopped)
	}
}

func (c *Service) state() CaptureState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run == nil {
		return CaptureState{}
	}
	return CaptureState{true, &c.run.started, c.run.filter, c.run.frames.Load()}
}

// Totals returns how many frames have been written and lost, and whether a capture runs.
func (c *Service) Totals() (frames, lost uint64, running bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run == nil {
		return c.frames, c.lost, false
	}
	return c.frames + c.run.frames.Load(), c.lost + c.run.lost.Load(), true
}

var errNoCapture = errors.New("no XDP program is on an interface: every packet passes the kernel, where tcpdump sees it")

// Register has the operator capture what XDP takes, until ctx ends. It takes the right to change: it shows subscribers' files.
func (c *Service) Register(ctx context.Context, a *admin.Server) {
	a.Handle("GET "+Path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		admin.WriteJSON(w, c.state())
	}))
	a.Handle("DELETE "+Path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c.cancel()
		admin.WriteJSON(w, struct{}{})
	}))
	a.Handle("POST "+Path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var wish Wish
		if err := readWish(r, &wish); err != nil {
			admin.WriteError(w, http.StatusBadRequest, fmt.Errorf("capture: %w", err))
			return
		}
		if c.Steering == nil {
			admin.WriteError(w, http.StatusConflict, errNoCapture)
			return
		}
		run, during, err := c.begin(r.Context(), &wish)
		switch {
		case errors.Is(err, errBusyCapture):
			admin.WriteError(w, http.StatusConflict, err)
			return
		case err != nil:
			admin.WriteError(w, http.StatusInternalServerError, err)
			return
		}
		defer context.AfterFunc(ctx, c.cancel)()
		a.Audit(r, "capture started", slog.String("filter", run.filter), slog.Int("snap", wish.Snap))
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

func readWish(r *http.Request, w *Wish) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(w); err != nil && !errors.Is(err, io.EOF) { // nothing is a wish for everything
		return err
	}
	// From the body's end on the server notices that the client goes.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return err
	}
	return w.Check()
}

// stream answers with a capture's file.
func (c *Service) stream(ctx context.Context, w http.ResponseWriter, run *captureRun) (end string, err error) {
	rc := http.NewResponseController(w)
	if err := rc.SetReadDeadline(time.Time{}); err != nil { // or its end would be taken for the client's
		return endClient, err
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-pcapng")
	h.Set("Trailer", strings.Join([]string{TrailerEnd, TrailerFrames, TrailerLost}, ", "))
	out := bufio.NewWriterSize(w, 64<<10)
	extend := func() error { return rc.SetWriteDeadline(time.Now().Add(captureStall)) }
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
