package main

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const header = "path,name,aliases,kind,min,max,len_min,len_max,version,scope,repeat,mic_order,same_as,traits,spec,note"

type row struct {
	line                                       int
	path, name, kind, min, max, lenMin, lenMax string
	version, scope, repeat, mic, sameAs        string
	spec, note                                 string
	aliases, traits                            []string
}

// readRows reads the dictionary. The error has one line for each invalid row, beginning with file:line.
func readRows(file string, in io.Reader, kinds map[string]kind) (*table, error) {
	r := csv.NewReader(in)
	r.FieldsPerRecord = -1 // counted below, for a better error
	t := &table{file: file, kinds: kinds, rows: map[string]*row{}, kids: map[string][]string{}}
	var errs []error
	for columns := strings.Split(header, ","); ; {
		f, err := r.Read()
		if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
			return nil, fmt.Errorf("%s:%d: %w", file, bad.Line, bad.Err)
		} else if err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		switch line, _ := r.FieldPos(0); {
		case line == 1:
			if !slices.Equal(f, columns) {
				return nil, fmt.Errorf("%s:1: columns %s: want %s", file, strings.Join(f, ","), header)
			}
		case len(f) != len(columns):
			errs = append(errs, fmt.Errorf("%s:%d: path %s: %d fields: want %d", file, line, f[0], len(f), len(columns)))
		default:
			errs = append(errs, t.add(&row{
				line: line, path: f[0], name: f[1], aliases: strings.Fields(f[2]), kind: f[3], min: f[4], max: f[5],
				lenMin: f[6], lenMax: f[7], version: f[8], scope: f[9], repeat: f[10], mic: f[11], sameAs: f[12],
				traits: strings.Fields(f[13]), spec: f[14], note: f[15],
			}))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, t.checkReferences()
}

func (t *table) add(w *row) error {
	if err := t.check(w); err != nil {
		return t.errorf(w, "%w", err)
	}
	t.rows[w.path] = w
	if i := strings.LastIndexByte(w.path, '.'); i >= 0 {
		t.kids[w.path[:i]] = append(t.kids[w.path[:i]], w.path)
	}
	return nil
}

func (t *table) errorf(w *row, format string, args ...any) error {
	return fmt.Errorf("%s:%d: path %s: %w", t.file, w.line, w.path, fmt.Errorf(format, args...))
}

// check validates a row by itself.
func (t *table) check(w *row) error {
	if err := checkPath(w.path); err != nil {
		return err
	}
	if other := t.rows[w.path]; other != nil {
		return fmt.Errorf("line %d has the same path", other.line)
	}
	if w.name == "" {
		return errors.New("no name")
	}
	for _, a := range w.aliases {
		_, form, _ := strings.Cut(a, ":")
		if err := oneOf("form", form, slices.Collect(maps.Keys(forms))); err != nil {
			return fmt.Errorf("alias %s: %w", a, err)
		}
	}
	for _, trait := range w.traits {
		if err := oneOf("trait", trait, slices.Collect(maps.Keys(traits))); err != nil {
			return err
		}
	}
	if slices.Contains(w.traits, "unsure") && w.min == "" {
		return errors.New("unsure without a range: want min and max")
	}
	return cmp.Or(
		oneOf("kind", w.kind, slices.Collect(maps.Keys(t.kinds))),
		oneOf("scope", w.scope, slices.Collect(maps.Keys(scopes))),
		oneOf("repeat", w.repeat, []string{"", "y", "n"}),
		checkRange(w, t.kinds[w.kind]),
		checkLength(w, t.kinds[w.kind]),
		checkNumber("mic_order", w.mic, 1, 21),
	)
}

// checkPath validates dotted codes after an optional dialect prefix.
func checkPath(path string) error {
	for _, prefix := range dialects[1:] {
		path = strings.TrimPrefix(path, prefix)
	}
	for part := range strings.SplitSeq(path, ".") {
		if n, err := strconv.ParseUint(part, 10, 8); err != nil || strconv.FormatUint(n, 10) != part {
			return fmt.Errorf("code %q: want 0 to 255", part)
		}
	}
	return nil
}

func oneOf(column, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	slices.Sort(known)
	return fmt.Errorf("unknown %s %q; known are %s", column, value, strings.TrimPrefix(strings.Join(known, ", "), ", "))
}

// checkRange validates min and max.
func checkRange(w *row, k kind) error {
	least, most := k.limits()
	switch {
	case w.min == "" && w.max == "":
		return nil
	case w.min == "" || w.max == "":
		return errors.New("half a range: want min and max, or neither")
	case w.kind == "zstring":
		least, most = 0, 255 // characters
	case k.octets == 0:
		return fmt.Errorf("kind %s takes no range: leave min and max empty", w.kind)
	}
	return cmp.Or(
		checkNumber("min", w.min, least, most),
		checkNumber("max", w.max, least, most),
		checkOrder("min", w.min, "max", w.max),
	)
}

// checkLength validates len_min and len_max.
func checkLength(w *row, k kind) error {
	if k.length == 0 {
		if w.lenMin != "" || w.lenMax != "" {
			return fmt.Errorf("kind %s takes no length: leave len_min and len_max empty", w.kind)
		}
		return nil
	}
	least, most := int64(0), int64(1)<<(8*k.length)-1
	if k.single {
		least, most = int64(k.octets), int64(k.octets)
	}
	if w.lenMin == "" || w.lenMax == "" {
		return fmt.Errorf("no length: kind %s wants len_min and len_max", w.kind)
	}
	return cmp.Or(
		checkOrder("len_min", w.lenMin, "len_max", w.lenMax),
		checkNumber("len_min", w.lenMin, least, most),
		checkNumber("len_max", w.lenMax, least, most),
	)
}

// checkNumber accepts an empty value, or a number from least to most.
func checkNumber(column, value string, least, most int64) error {
	if n, err := strconv.ParseInt(value, 10, 64); value == "" || err == nil && least <= n && n <= most {
		return nil
	}
	if least == most {
		return fmt.Errorf("%s %s: want %d", column, value, least)
	}
	return fmt.Errorf("%s %s: want %d to %d", column, value, least, most)
}

func checkOrder(minColumn, least, maxColumn, most string) error {
	a, err1 := strconv.ParseInt(least, 10, 64)
	b, err2 := strconv.ParseInt(most, 10, 64)
	if err1 == nil && err2 == nil && a > b {
		return fmt.Errorf("%s %d is above %s %d", minColumn, a, maxColumn, b)
	}
	return nil
}

// checkReferences checks that parents and rows named by same_as exist.
func (t *table) checkReferences() error {
	var errs []error
	for _, path := range slices.Sorted(maps.Keys(t.rows)) {
		w := t.rows[path]
		if err := cmp.Or(t.checkParent(w), t.checkSameAs(w)); err != nil {
			errs = append(errs, t.errorf(w, "%w", err))
		}
	}
	return errors.Join(errs...)
}

// checkParent accepts a parent in the row's own dialect, or a plain one at the top level.
func (t *table) checkParent(w *row) error {
	i := strings.LastIndexByte(w.path, '.')
	if i < 0 || t.rows[w.path[:i]] != nil {
		return nil
	}
	plain := w.path[strings.IndexByte(w.path, ':')+1 : i]
	if t.rows[plain] != nil && !strings.Contains(plain, ".") {
		return nil
	}
	return fmt.Errorf("no row for the parent, %s", w.path[:i])
}

// checkSameAs follows same_as, which must not lead back to the row or to one that contains it.
func (t *table) checkSameAs(w *row) error {
	seen := map[string]bool{}
	for at := w.sameAs; at != ""; at = t.rows[at].sameAs {
		if t.rows[at] == nil {
			return fmt.Errorf("same_as %s: no such row", at)
		}
		if seen[at] || strings.HasPrefix(w.path+".", at+".") {
			return fmt.Errorf("same_as %s: the row would hold itself", w.sameAs)
		}
		seen[at] = true
	}
	return nil
}

// checkKeywords checks that siblings, including those from same_as, have different keywords.
func (t *table) checkKeywords() error {
	for _, n := range t.nodes {
		words := t.keywords(n.kids)
		for i := 1; i < len(words); i++ {
			if words[i].name == words[i-1].name {
				first, second := t.nodes[words[i-1].def], t.nodes[words[i].def]
				if first.row.line > second.row.line {
					first, second = second, first
				}
				return t.errorf(second.row, "keyword %s: path %s on line %d has it already", words[i].name, first.row.path, first.row.line)
			}
		}
	}
	return nil
}
