package csvfile

import (
	"os"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
)

// loaded returns the version of a file that was loaded at a time.
func loaded(t *testing.T, cfg Config, began time.Time) string {
	t.Helper()
	s := New(cfg).(attr.Versioned)
	if _, err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Load(t.Context(), func(*attr.Device) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return s.Version(began)
}

// A file is unchanged, also for a later process, if its octets are those that were loaded, read in the same way.
func TestUnchanged(t *testing.T) {
	const text = "mac,profile\n0a0102030405,gold\n"
	later := time.Now().Add(time.Hour)
	past := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		began  time.Time // of the load
		change func(path string) error
		cfg    func(*Config)
		want   bool
	}{
		"as it was":                 {began: later, want: true},
		"just written, as it was":   {began: time.Now(), want: true},
		"written by a clock ahead":  {began: past, want: true},
		"touched":                   {began: later, change: func(path string) error { return os.Chtimes(path, past, past) }, want: true},
		"written again":             {began: later, change: func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }, want: true},
		"changed, of the same size": {began: later, change: replaceText("gold", "lead")},
		"changed, just written":     {began: time.Now(), change: replaceText("gold", "lead")},
		"changed, with its old times": {began: later, change: func(path string) error {
			info, err := os.Stat(path)
			if err == nil {
				err = replaceText("gold", "lead")(path)
			}
			if err == nil {
				err = os.Chtimes(path, info.ModTime(), info.ModTime())
			}
			return err
		}},
		"replaced by the same": {began: later, change: func(path string) error {
			if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}, want: true},
		"longer":            {began: later, change: replaceText("gold", "golden")},
		"half written":      {began: later, change: func(path string) error { return os.Truncate(path, 20) }},
		"zeros":             {began: later, change: func(path string) error { return os.WriteFile(path, make([]byte, len(text)), 0o600) }},
		"missing":           {began: later, change: os.Remove},
		"another separator": {began: later, cfg: func(c *Config) { c.Comma = ';' }},
		"stricter":          {began: later, cfg: func(c *Config) { c.MaxRejected = -1 }},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Path: write(t, text)}
			version := loaded(t, cfg, tc.began)
			if tc.change != nil {
				if err := tc.change(cfg.Path); err != nil {
					t.Fatal(err)
				}
			}
			if tc.cfg != nil {
				tc.cfg(&cfg)
			}
			s := New(cfg).(attr.Versioned)
			if got := s.Unchanged(t.Context(), version); got != tc.want {
				t.Errorf("unchanged: %v, want %v", got, tc.want)
			}
			if tc.want && !strings.Contains(s.Version(tc.began), s.(*source).settings().Comma) {
				t.Errorf("version afterwards: %q", s.Version(tc.began))
			}
			if s.Unchanged(t.Context(), "") || s.Unchanged(t.Context(), "17") {
				t.Error("what is no version is unchanged")
			}
		})
	}
}

func replaceText(old, text string) func(path string) error {
	return func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(strings.ReplaceAll(string(b), old, text)), 0o600)
	}
}

// Times identify a file only if they were old when it was loaded: its next change may get the same ones.
func TestVersionSettled(t *testing.T) {
	cfg := Config{Path: write(t, "mac\n0a0102030405\n")}
	for began, want := range map[time.Time]bool{
		time.Now().Add(time.Hour): true, time.Now(): false, time.Now().Add(-time.Hour): false,
	} {
		if got := strings.Contains(loaded(t, cfg, began), "inode"); got != want {
			t.Errorf("loaded at %v: times are in the version: %v", began, got)
		}
	}
}

// A load that failed has no version, nor does a file that grew meanwhile.
func TestVersionOfFailedLoad(t *testing.T) {
	cfg := Config{Path: write(t, "mac\n0a0102030405\n")}
	s := New(cfg).(attr.Versioned)
	err := s.Load(t.Context(), func(*attr.Device) error {
		return os.WriteFile(cfg.Path, []byte("mac\n0a0102030405\n0a0102030406\n"), 0o600)
	})
	if v := s.Version(time.Now()); err == nil || v != "" {
		t.Errorf("%v, version %q", err, v)
	}
}
