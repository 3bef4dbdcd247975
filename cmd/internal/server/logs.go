package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"syscall"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/logging"
	"dcs/render"
	"dcs/render/device"
)

// openLog opens the server's log.
func openLog(w io.Writer, cfg *config.Config) (*logging.Log, error) {
	return logging.New(w, logging.Config{
		JSON: cfg.LogFormat == config.LogJSON, Level: cfg.LogLevel, Rules: logRules(cfg),
	})
}

func logRules(cfg *config.Config) logging.Rules {
	return logging.Rules{OneOf: cfg.LogRequests, Devices: cfg.LogDevices}
}

// fault logs why a request got no file, or why the file did not arrive. Workers call it; they must not wait for the log.
func (s *events) fault(o *device.Outcome) {
	args := []any{"name", string(o.Name), "client", o.Client, "reason", o.Reason, "err", o.Err}
	if len(o.Value) > 0 {
		args = append(args, "value", string(o.Value))
	}
	s.faults.add(o)
	msg := "no file"
	if o.Undelivered {
		msg = "file not delivered"
	}
	s.logs.Queue().Send(o.Reason, slog.LevelWarn, o.Suppressed, msg, args...)
}

// logRequests logs those requests of a batch that the rules choose.
func logRequests(logs *logging.Log, reqs []render.Request) {
	for i := range reqs {
		r := &reqs[i]
		if errors.Is(r.Err, syscall.EAGAIN) || !logs.Wants(r.Client, r.MAC) {
			continue
		}
		args := []any{"name", string(r.Name), "client", r.Client}
		if !r.MAC.IsZero() {
			args = append(args, "mac", r.MAC.String())
		}
		if r.Err != nil {
			args = append(args, "err", r.Err)
		} else {
			args = append(args, "octets", len(r.Body))
		}
		logs.Queue().Send("", slog.LevelInfo, 0, "request", args...)
	}
}

func (s *server) logView() adminapi.Log {
	level, rules := strings.ToLower(s.logs.Level().String()), s.logs.Rules()
	share := "off"
	switch {
	case rules.OneOf == 1:
		share = "all"
	case rules.OneOf > 1:
		share = fmt.Sprintf("1/%d", rules.OneOf)
	}
	return adminapi.Log{Level: &level, Requests: &share, Devices: &rules.Devices, Held: s.logs.Queue().Suppressed()}
}

// registerLog registers the calls that show and set what is logged. SIGHUP restores what the configuration says.
func (s *server) registerLog() {
	s.admin.Handle("GET "+adminapi.LogPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		admin.WriteJSON(w, s.logView())
	}))
	s.admin.Handle("POST "+adminapi.LogPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var v adminapi.Log
		dec := json.NewDecoder(r.Body)
		dec.DisallowUnknownFields()
		err := dec.Decode(&v)
		if err == nil {
			err = s.setLog(&v)
		}
		if err != nil {
			admin.WriteError(w, http.StatusBadRequest, fmt.Errorf("log: %w", err))
			return
		}
		admin.WriteJSON(w, s.logView())
	}))
}

// setLog applies all of v or, on an error, nothing.
func (s *server) setLog(v *adminapi.Log) error {
	level, rules := s.logs.Level(), s.logs.Rules()
	var err error
	if v.Level != nil {
		if level, err = config.ParseLogLevel(*v.Level); err != nil {
			return err
		}
	}
	if v.Requests != nil {
		if rules.OneOf, err = config.ParseShare(*v.Requests); err != nil {
			return err
		}
	}
	if v.Devices != nil {
		rules.Devices = *v.Devices
	}
	if err := s.logs.SetRules(rules); err != nil {
		return err
	}
	s.logs.SetLevel(level)
	return nil
}
