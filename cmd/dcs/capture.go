package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"dcs/bpf"
	api "dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/remote"
	"dcs/cmd/internal/server/capture"
)

func captureCommand(e cli.Env) *cobra.Command {
	var (
		server   remote.Access
		req      capture.Request
		out      string
		duration time.Duration
	)
	cmd := &cobra.Command{
		Use:   "capture -o FILE",
		Short: "Capture the packets that XDP takes on a running server",
		Long: `Capture the packets that a running server's XDP program steers to the workers or
drops, and the answers sent over AF_XDP. tcpdump sees neither. The file is pcapng, for
Wireshark and tcpdump; each packet's comment is its verdict, as in the metric
dcs_xdp_packets_total, or sent_xsk. Packets that the kernel handles are not included:
capture those with tcpdump.

Capturing requires permission to change the server, because it shows subscribers' files,
and is logged. One capture runs at a time. It ends with --count, --duration or --size, on
Ctrl-C, and when the server stops. Packets that were lost for lack of space are counted,
in the file (Wireshark: Statistics, Capture File Properties) and at the end.

--mac selects by the Ethernet source, or an answer's destination: the modem if the CMTS
bridges, the router if it routes. Behind a router, select by --ip.`,
		Example: `  dcs capture -o modem.pcapng --ip 10.32.1.7 --duration 5m
  dcs capture -o - --ip 10.32.0.0/16 | wireshark -k -i -
  dcs capture -o - | tshark -r - -Y 'frame.comment == "drop_rate"'`,
		Args: cli.Arguments(0, 0),
	}
	server.Flags(cmd, e.StandardConfig)
	f := cmd.Flags()
	f.StringVar(&server.Address, "admin", "", "the running server's admin `address` (default: from the configuration)")
	f.StringVarP(&out, "output", "o", "", "write to this `file`; - is standard output")
	f.StringVar(&req.MAC, "mac", "", "only packets from or to this MAC `address`")
	f.StringVar(&req.IP, "ip", "", "only packets from or to this client `address`, or to those of a prefix")
	f.Uint64Var(&req.Count, "count", 0, "end after `N` packets")
	f.DurationVar(&duration, "duration", capture.DefaultDuration, "end after this `time`, at most 24h")
	f.IntVar(&req.MiB, "size", capture.DefaultMiB, fmt.Sprintf("end when the file has `N` MiB, at most %d", capture.MaxMiB))
	f.IntVar(&req.Snap, "snap", bpf.MaxSnap, fmt.Sprintf("write at most `N` octets of a packet, %d to %d", capture.MinSnap, bpf.MaxSnap))
	cmd.RunE = func(*cobra.Command, []string) error {
		req.Seconds = duration.Seconds()
		switch {
		case out == "":
			return cli.Usagef("-o FILE is missing; - is standard output")
		case out == cli.Stdio && cli.IsTerminal(e.Stdout):
			return cli.Usagef("captures are binary; give -o FILE, or pipe to wireshark -k -i -")
		case duration == 0 || req.MiB == 0 || req.Snap == 0: // the server would take its defaults
			return cli.Usagef("--duration, --size and --snap cannot be 0")
		}
		if err := req.Check(); err != nil {
			return cli.UsageError{Err: err}
		}
		client, address, err := server.Dial()
		if err != nil {
			return err
		}
		defer client.Close()
		if err := fetchCapture(e, client, &req, out); err != nil {
			return fmt.Errorf("%s: %w", address, err)
		}
		return nil
	}
	return cmd
}

// captureGrace limits the wait for the end of a capture's file after a signal.
const captureGrace = 5 * time.Second

// fetchCapture starts a capture on the server and writes its file until the capture ends. A signal makes the server end it.
func fetchCapture(e cli.Env, client *api.Client, req *capture.Request, out string) (err error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	resp, err := client.Stream(ctx, http.MethodPost, capture.Path, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	file := e.Stdout
	if out != cli.Stdio {
		f, err := openCaptureFile(out)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		file = f
	}
	defer context.AfterFunc(signals, func() {
		stop() // a second signal ends this process
		wait, done := context.WithTimeout(ctx, captureGrace)
		defer done()
		if client.Call(wait, http.MethodDelete, capture.Path, nil, nil) == nil {
			<-wait.Done()
		}
		cancel(nil)
	})()
	if pipe, ok := file.(*os.File); ok && out == cli.Stdio {
		go func() {
			if unread(ctx, pipe) {
				cancel(unix.EPIPE)
			}
		}()
	}
	if _, err := io.Copy(file, resp.Body); err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, unix.EPIPE) {
			return cause
		}
		return err
	}
	t := resp.Trailer
	_, err = fmt.Fprintf(e.Stderr, "%s packets, %s lost; ended: %s\n", cmp.Or(t.Get(capture.TrailerFrames), "?"), cmp.Or(t.Get(capture.TrailerLost), "?"), cmp.Or(t.Get(capture.TrailerEnd), "?"))
	return err
}

// unread waits until the pipe has no reader or ctx ends, and reports whether the reader is gone. A capture without packets writes
// nothing, and so gets no EPIPE.
func unread(ctx context.Context, pipe *os.File) bool {
	poll := []unix.PollFd{{Fd: int32(pipe.Fd())}}
	for ctx.Err() == nil {
		const patience = 250 // milliseconds
		if n, err := unix.Poll(poll, patience); n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return n > 0 && poll[0].Revents&unix.POLLERR != 0
		}
	}
	return false
}

// openCaptureFile opens the file that a capture is written to. A regular file is readable only by its owner.
func openCaptureFile(name string) (*os.File, error) {
	path, info, err := outputPath(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	case err != nil:
		return nil, err
	case info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW, 0)
		if err != nil {
			return nil, err
		}
		if err := f.Chmod(0o600); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
	return os.OpenFile(path, os.O_WRONLY|unix.O_NOCTTY, 0)
}
