package storm

import (
	"strings"
	"testing"
	"time"
)

func TestScenariosThatComeAlong(t *testing.T) {
	names := Scenarios()
	if len(names) < 5 {
		t.Fatalf("only %q", names)
	}
	for _, name := range names {
		s, err := LoadScenario(name)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if s.Name != name || s.Title == "" || s.About == "" || len(s.Config.Groups) == 0 || s.Limits.MaxFailed != 0 {
			t.Errorf("%s is incomplete: %+v", name, s)
		}
	}
}

func TestScenario(t *testing.T) {
	s, err := parseScenario("dir/x.yml", []byte(`
title: A title
backoff: [1s, 2s]
retries: 2
groups:
  - {group: a, modems: 1000, within: 10s, ramp: 2s, name: "a{i}"}
  - {group: b, modems: 1_000, rate: 20.5, duration: 1m, after: 5s}
events:
  - {at: 20s, event: late}
  - {at: 10s, event: early, note: do it}
expect: {max-failed: 3, p999: 50ms}
`))
	if err != nil {
		t.Fatal(err)
	}
	c := s.Config
	if s.Name != "x" || s.Title != "A title" || c.Retries != 2 || c.Restarts != 3 || len(c.Backoff) != 2 || s.Limits.MaxFailed != 3 || s.Limits.P999 != 50*time.Millisecond {
		t.Errorf("%+v", s)
	}
	if g := c.Groups[1]; g.Name != "b" || g.Modems != 1000 || g.Rate != 20.5 || g.Duration != time.Minute || g.After != 5*time.Second {
		t.Errorf("%+v", g)
	}
	if c.Events[0].Name != "early" || c.Events[1].Note != "late" {
		t.Errorf("%+v", c.Events)
	}
	s.Scale(0.1, 10)
	if g := s.Config.Groups[0]; g.Modems != 100 || g.Within != time.Second || g.Ramp != 200*time.Millisecond {
		t.Errorf("%+v", g)
	}
	if r := s.Config.Groups[1].Rate; r < 20.49 || r > 20.51 || s.Config.Backoff[0] != 100*time.Millisecond || s.Config.Events[0].At != time.Second {
		t.Errorf("%+v", s.Config)
	}
}

func TestScenarioErrors(t *testing.T) {
	const good = "groups: [{modems: 1, rate: 1, count: 1}]\n"
	for src, want := range map[string]string{
		"":                                      "f.yaml:1:1: empty file",
		"title: x\n":                            "f.yaml:1:1: a scenario without groups",
		"- a\n":                                 "f.yaml:1:1: a scenario should be settings",
		good + "titel: x\n":                     `f.yaml:2:1: a scenario has no key "titel"; there are about,`,
		good + "retries: many\n":                "f.yaml:2:10: a whole number from 0 to 255 is wanted here, not many",
		good + "retries: 256\n":                 "f.yaml:2:10: a whole number",
		good + "backoff: [4s, 8]\n":             "f.yaml:2:15: a time such as",
		good + "backoff: 4s\n":                  "f.yaml:2:10: backoff should be a list",
		good + "jitter: 2\n":                    "f.yaml:2:9: a number from 0 to 1",
		good + "tsize: 1\n":                     "f.yaml:2:8: true or false",
		good + "title: [x]\n":                   "f.yaml:2:8: a text is wanted",
		good + "title:\n":                       "f.yaml:2:1: title has no value",
		good + "events: [{at: 1s}]\n":           "f.yaml:2:11: an event needs a name",
		good + "expect: {p99: 1h30}\n":          "f.yaml:2:15: a time such as",
		good + "---\n" + good:                   "f.yaml:3:1: a second document",
		"groups: [{modems: 1, rate: 1}]\n":      "f.yaml:1:11: group group 1: endless load",
		"groups: [{modems: 1, count: 1}]\n":     "f.yaml:1:11: group group 1: exactly one of window, rate, within and flood",
		"groups: [{modems: 70000, within: 1s}]": "f.yaml:1:19: a whole number",
		"groups:\n  - {modems: 60000, within: 1s}\n  - {modems: 60000, within: 1s}\n":    "f.yaml:2:3: 120000 modems",
		"groups:\n  - modems: 5\n    within: 1s\n    name: \"a{\"\n":                     "f.yaml:2:5: group group 1: name \"a{\"",
		"groups:\n  - modems: 5\n    within: 1s\n    ramp: 2s\n":                         "f.yaml:2:5: group group 1: ramp of 2s",
		"groups:\n  - {modems: 5, rate: 1, count: 1}\n  - {modems: 5\n":                  "f.yaml:",
		"groups:\n  - {modems: x, rate: 1, count: 1}\n  - {modems: 5, rate: y, ramp: z}": "f.yaml:3:32: a time",
	} {
		_, err := parseScenario("f.yaml", []byte(src))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", src, err, want)
		}
	}
}

func FuzzScenario(f *testing.F) {
	for _, name := range Scenarios() {
		src, err := scenarios.ReadFile("scenarios/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := parseScenario("f.yaml", src)
		if err == nil {
			c := s.Config
			if err := c.completeGroups(); err != nil {
				t.Errorf("accepted, and yet: %v", err)
			}
		}
	})
}
