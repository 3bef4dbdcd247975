package config

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// LogFormat is the format of log lines.
type LogFormat string

// The formats.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

func parseLogFormat(s string) (LogFormat, error) {
	switch f := LogFormat(s); f {
	case LogText, LogJSON:
		return f, nil
	}
	return "", fmt.Errorf("%s is not a log format; use text or json", s)
}

// ParseLogLevel reads debug, info, warn or error.
func ParseLogLevel(s string) (slog.Level, error) {
	switch strings.ToLower(s) {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("%s is not a log level; use debug, info, warn or error", s)
}

// ParseShare parses off, all or 1/N. It returns N, the number of requests of which one is logged: 1 for all, 0 for off.
func ParseShare(s string) (int, error) {
	switch s {
	case "off":
		return 0, nil
	case "all":
		return 1, nil
	}
	if of, ok := strings.CutPrefix(s, "1/"); ok {
		if n, err := strconv.Atoi(of); err == nil && n >= 1 && n <= 1e9 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s is not a share of the requests; use off, all, or a fraction such as 1/1000", s)
}
