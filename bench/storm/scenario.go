package storm

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

//go:embed scenarios/*.yaml
var scenarios embed.FS

// Scenario is a load described in a file: groups of modems, events, and limits for the result.
type Scenario struct {
	Name   string // name of the file without its suffix
	Title  string
	About  string
	Config Config // Default, overridden by the file
	Limits Limits
}

// Scenarios returns the names of the built-in scenarios, sorted.
func Scenarios() []string {
	files, err := fs.Glob(scenarios, "scenarios/*.yaml")
	if err != nil {
		return nil // only for a malformed pattern
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(path.Base(f), ".yaml")
	}
	return files
}

// LoadScenario reads a built-in scenario by name, or a file: a name with a slash or ending in .yaml or .yml is a path.
// All errors in a file are returned, joined, with line and column.
func LoadScenario(name string) (*Scenario, error) {
	if strings.Contains(name, "/") || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		return parseScenario(name, src)
	}
	src, err := scenarios.ReadFile("scenarios/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("unknown scenario %q; choose one of %s, or give the path of a file", name, strings.Join(Scenarios(), ", "))
	}
	return parseScenario(name+".yaml", src)
}

// parseScenario parses the source of the file called name.
func parseScenario(name string, src []byte) (*Scenario, error) {
	s := &Scenario{Config: Default(), Limits: NoLimits()}
	base := path.Base(name)
	s.Name = strings.TrimSuffix(strings.TrimSuffix(base, ".yaml"), ".yml")
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		var ye yaml.Error
		if errors.As(err, &ye) && ye.GetToken() != nil {
			at := ye.GetToken().Position
			return nil, fmt.Errorf("%s:%d:%d: %s", name, at.Line, at.Column, ye.GetMessage())
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r := &scenarioReader{file: name}
	docs := 0
	for _, doc := range file.Docs {
		switch doc.Body.(type) {
		case nil, *ast.NullNode, *ast.CommentGroupNode:
			continue
		}
		if docs++; docs > 1 {
			r.fail(doc.Body, "a second document: one file is one scenario")
			break
		}
		r.scenario(doc.Body, s)
	}
	if docs == 0 {
		return nil, fmt.Errorf("%s:1:1: empty file; a scenario requires groups", name)
	}
	return s, errors.Join(r.errs...)
}

type scenarioReader struct {
	file string
	errs []error
}

func (r *scenarioReader) fail(n ast.Node, format string, args ...any) {
	// The position of a list or a block is that of its first token, not of a separator inside.
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key
	} else if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	at := n.GetToken().Position
	r.errs = append(r.errs, fmt.Errorf("%s:%d:%d: %s", r.file, at.Line, at.Column, fmt.Sprintf(format, args...)))
}

// setting sets the value of a key.
type setting func(n ast.Node)

// block reads settings.
func (r *scenarioReader) block(n ast.Node, what string, keys map[string]setting) {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		r.fail(n, "%s should be settings, as in \"key: value\"", what)
		return
	}
	for _, p := range pairs {
		key := p.Key.GetToken().Value
		set, ok := keys[key]
		if !ok {
			known := make([]string, 0, len(keys))
			for k := range keys {
				known = append(known, k)
			}
			slices.Sort(known)
			r.fail(p.Key, "%s has no key %q; there are %s", what, key, strings.Join(known, ", "))
			continue
		}
		if _, null := p.Value.(*ast.NullNode); null {
			r.fail(p.Key, "%s has no value", key)
			continue
		}
		set(p.Value)
	}
}

func (r *scenarioReader) list(n ast.Node, what string, each func(ast.Node)) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(n, "%s should be a list", what)
		return
	}
	for _, v := range seq.Values {
		each(v)
	}
}

func (r *scenarioReader) text(to *string) setting {
	return func(n ast.Node) {
		switch v := n.(type) {
		case *ast.LiteralNode:
			*to = strings.TrimSpace(v.Value.Value)
		case *ast.StringNode:
			*to = v.Value
		default:
			r.fail(n, "a text is wanted here, not %s", n)
		}
	}
}

func (r *scenarioReader) number(to *float64, most float64) setting {
	return func(n ast.Node) {
		t := n.Type()
		v, err := strconv.ParseFloat(strings.ReplaceAll(n.GetToken().Value, "_", ""), 64)
		if err != nil || t != ast.IntegerType && t != ast.FloatType || math.IsNaN(v) || v < 0 || v > most {
			r.fail(n, "a number from 0 to %.0f is wanted here, not %s", most, n)
			return
		}
		*to = v
	}
}

func (r *scenarioReader) count(to *int, most int) setting {
	return func(n ast.Node) {
		v, err := strconv.Atoi(strings.ReplaceAll(n.GetToken().Value, "_", ""))
		if err != nil || n.Type() != ast.IntegerType || v < 0 || v > most {
			r.fail(n, "a whole number from 0 to %d is wanted here, not %s", most, n)
			return
		}
		*to = v
	}
}

func (r *scenarioReader) duration(to *time.Duration) setting {
	return func(n ast.Node) {
		d, err := time.ParseDuration(n.GetToken().Value)
		if err != nil || d < 0 || d > maxTime {
			r.fail(n, "a time such as 1.5s or 2m, at most %v, is wanted here, not %s", maxTime, n)
			return
		}
		*to = d
	}
}

func (r *scenarioReader) boolean(to *bool) setting {
	return func(n ast.Node) {
		b, ok := n.(*ast.BoolNode)
		if !ok {
			r.fail(n, "true or false is wanted here, not %s", n)
			return
		}
		*to = b.Value
	}
}

func (r *scenarioReader) scenario(n ast.Node, s *Scenario) {
	c, l := &s.Config, &s.Limits
	groups := n
	r.block(n, "a scenario", map[string]setting{
		"title": r.text(&s.Title), "about": r.text(&s.About), "name": r.text(&c.Name),
		"backoff": func(n ast.Node) {
			c.Backoff = nil
			r.list(n, "backoff", func(n ast.Node) {
				var d time.Duration
				r.duration(&d)(n)
				c.Backoff = append(c.Backoff, d)
			})
		},
		"retries": r.count(&c.Retries, 255), "restarts": r.count(&c.Restarts, 255),
		"rest": r.duration(&c.Rest), "jitter": r.number(&c.Jitter, 1),
		"drain": r.duration(&c.Drain), "max-time": r.duration(&c.MaxTime),
		"blksize": r.count(&c.BlkSize, 65464), "tsize": r.boolean(&c.TSize), "hwaddr": r.boolean(&c.HWAddr),
		"groups": func(n ast.Node) {
			groups = n
			r.list(n, "groups", func(n ast.Node) { c.Groups = append(c.Groups, r.group(n, c)) })
		},
		"events": func(n ast.Node) {
			r.list(n, "events", func(n ast.Node) { c.Events = append(c.Events, r.event(n)) })
		},
		"expect": func(n ast.Node) {
			r.block(n, "expect", map[string]setting{
				"max-failed": r.count(&l.MaxFailed, maxCount), "min-rate": r.number(&l.MinRate, 1e9),
				"p50": r.duration(&l.P50), "p99": r.duration(&l.P99), "p999": r.duration(&l.P999), "last": r.duration(&l.Last),
			})
		},
	})
	slices.SortStableFunc(c.Events, func(a, b Event) int { return int(a.At - b.At) })
	if len(r.errs) > 0 {
		return
	}
	if len(c.Groups) == 0 {
		r.fail(n, "a scenario without groups has no modems")
		return
	}
	// Combinations of fields are checked as for flags; the target is not known yet.
	whole := *c
	if err := whole.completeGroups(); err != nil {
		r.fail(groups, "%v", err)
	}
}

func (r *scenarioReader) group(n ast.Node, c *Config) Group {
	var g Group
	window := 0
	before := len(r.errs)
	r.block(n, "a group", map[string]setting{
		"group": r.text(&g.Name), "modems": r.count(&g.Modems, maxModems), "name": r.text(&g.File), "after": r.duration(&g.After),
		"window": r.count(&window, maxModems), "rate": r.number(&g.Rate, maxFlood), "within": r.duration(&g.Within),
		"flood": r.number(&g.Flood, maxFlood), "ramp": r.duration(&g.Ramp), "count": r.count(&g.Count, maxCount),
		"duration": r.duration(&g.Duration),
	})
	g.Window = window
	if g.Name == "" {
		g.Name = fmt.Sprintf("group %d", len(c.Groups)+1)
	}
	if len(r.errs) == before {
		whole := g
		if err := whole.complete(); err != nil {
			r.fail(n, "group %s: %v", g.Name, err)
		}
		if g.File != "" {
			if _, err := parseNames(g.File, modemNet4, 0); err != nil {
				r.fail(n, "group %s: %v", g.Name, err)
			}
		}
	}
	return g
}

func (r *scenarioReader) event(n ast.Node) Event {
	var e Event
	r.block(n, "an event", map[string]setting{"at": r.duration(&e.At), "event": r.text(&e.Name), "note": r.text(&e.Note)})
	if e.Name == "" {
		r.fail(n, "an event needs a name: event: NAME")
	}
	if e.Note == "" {
		e.Note = e.Name
	}
	return e
}

// Scale runs the scenario with a part of its modems and rates, and faster: scale 0.1 is a tenth of the modems, speed 10
// a tenth of the time. Both must be positive.
func (s *Scenario) Scale(scale, speed float64) {
	c := &s.Config
	part := func(n int) int {
		if n == 0 {
			return 0
		}
		return max(1, int(math.Round(float64(n)*scale)))
	}
	faster := func(d *time.Duration) { *d = time.Duration(float64(*d) / speed) }
	for i := range c.Groups {
		g := &c.Groups[i]
		g.Modems, g.Window, g.Count = min(maxModems, part(g.Modems)), part(g.Window), part(g.Count)
		g.Rate, g.Flood = g.Rate*scale*speed, g.Flood*scale*speed
		for _, d := range []*time.Duration{&g.After, &g.Within, &g.Ramp, &g.Duration} {
			faster(d)
		}
	}
	for i := range c.Events {
		faster(&c.Events[i].At)
	}
	for i := range c.Backoff {
		faster(&c.Backoff[i])
		c.Backoff[i] = max(c.Backoff[i], time.Millisecond)
	}
	for _, d := range []*time.Duration{&c.Rest, &c.Drain, &s.Limits.Last} {
		faster(d)
	}
}
