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
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/logging"
	"dcs/render"
	"dcs/render/device"
)

// openLog makes the server's log.
func openLog(w io.Writer, cfg *config.Config) (*logging.Log, error) {
	return logging.New(w, logging.Config{
		JSON: cfg.LogFormat == config.LogJSON, Level: cfg.LogLevel, Rules: logRules(cfg),
	})
}

func logRules(cfg *config.Config) logging.Rules {
	return logging.Rules{OneOf: cfg.LogRequests, Devices: cfg.LogDevices}
}

// fault tells why a request got no file, or the file did not arrive. It is called by workers, which must not wait for the log.
func (s *events) fault(o *device.Outcome) {
	args := []any{"name", string(o.Name), "client", o.Client, "reason", o.Reason, "err", o.Err}
	if len(o.Value) > 0 {
		args = append(args, "value", string(o.Value))
	}
	s.faults.add(o)
	msg := "no file"
	if o.Undelivered {
		msg = "file not taken"
	}
	s.logs.Queue().Send(o.Reason, slog.LevelWarn, o.Suppressed, msg, args...)
}

// logRequests gives those requests of a batch a line that are to have one.
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

const LogPath = "/api/log"

// LogView is the log as the API speaks of it. What is left away when it is set stays as it is.
type LogView struct {
	Level    *string   `json:"level,omitempty"`    // debug, info, warn or error
	Requests *string   `json:"requests,omitempty"` // off, all or 1/N
	Devices  *[]string `json:"devices,omitempty"`
	Held     uint64    `json:"held"` // lines that were not written, as there were too many; not to be set
}

func (s *server) logView() LogView {
	level, rules := strings.ToLower(s.logs.Level().String()), s.logs.Rules()
	share := "off"
	switch {
	case rules.OneOf == 1:
		share = "all"
	case rules.OneOf > 1:
		share = fmt.Sprintf("1/%d", rules.OneOf)
	}
	return LogView{&level, &share, &rules.Devices, s.logs.Queue().Held()}
}

// registerLog has the operator see and change what is logged; SIGHUP puts in its place again what the
// configuration says.
func (s *server) registerLog() {
	s.admin.Handle("GET "+LogPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		admin.WriteJSON(w, s.logView())
	}))
	s.admin.Handle("POST "+LogPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var v LogView
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

// setLog does all that v says, or nothing.
func (s *server) setLog(v *LogView) error {
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
