package store

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// answers returns a Store's answers about devices 0 to n-1 by MAC and by IP address: their values, "none", or "damaged".
func answers(s *Store, n int) []string {
	v := s.View()
	queries := make([]attr.Query, 2*n)
	for i := range n {
		queries[2*i] = attr.Query{MAC: mac(i)}
		queries[2*i+1] = attr.Query{IP: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})}
	}
	v.LookupBatch(queries)
	var list []string
	for i := range queries {
		q := &queries[i]
		switch {
		case q.Damaged && !q.Found:
			list = append(list, "damaged")
		default:
			list = append(list, show(v, q.Values, q.Found))
		}
	}
	return list
}

// A damaged file gives no wrong answer: a device is right or damaged. Changes are still applied. All is right again when its source
// is back; a merged file is rebuilt from the sources' files without them.
func TestDamagedFileIsNotServed(t *testing.T) {
	t.Parallel()
	const n = 2000
	for _, tt := range []struct {
		sources int
		file    string // that is damaged
		mends   bool   // without a source
	}{{1, "a", false}, {2, "a", false}, {2, "merged", true}} {
		t.Run(fmt.Sprint(tt.sources, tt.file), bubble(func(t *testing.T) {
			dir := t.TempDir()
			var up, away []attr.Source
			var first *fake
			for i := range tt.sources {
				name := string(rune('a' + i))
				f := newFake(name, []string{name})
				for k := range n {
					f.devices = append(f.devices, dev(k, fmt.Sprintf("10.1.%d.%d", k>>8, k&255), fmt.Sprint(name, k)))
				}
				if first == nil {
					first = f
				}
				up, away = append(up, following{plain{f}, f}), append(away, plain{down(name)})
			}
			cfg, _ := testConfig(dir, up...)
			s := openStore(t, cfg)
			eventually(t, "loaded", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.allLoaded.Load() && !s.remerge && s.base != nil
			})
			first.apply <- []attr.Change{{Device: dev(7, "10.1.0.7", "changed")}}
			eventually(t, "changed", func() bool { return strings.HasPrefix(get(s, 7), "a=changed") })
			want := answers(s, n)
			crashed := copyDir(t, dir)
			s.Close()
			path := filepath.Join(crashed, mergedName)
			if tt.file != "merged" {
				path = filepath.Join(crashed, fileName(tt.file))
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for at := 2 * 4096; at < 3*4096; at++ { // a block of rows
				data[at] = 0
			}
			os.Remove(path)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, ev := testConfig(crashed, away...)
			cfg.OpenWait = time.Nanosecond
			s = openStore(t, cfg)
			unsure := 0
			for until := time.Now().Add(2 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				unsure = 0
				for i, got := range answers(s, n) {
					if got == "damaged" {
						unsure++
					} else if got != want[i] {
						t.Fatalf("query %d: %s instead of %s", i, got, want[i])
					}
				}
				told := ev.has(Damaged, "", localdb.ErrDamaged) || ev.has(Damaged, "a", localdb.ErrDamaged)
				if told && (unsure == 0) == tt.mends || time.Now().After(until) {
					break
				}
			}
			if tt.mends != (unsure == 0) && tt.sources == 1 || unsure == 2*n {
				t.Errorf("nobody can say of %d of %d", unsure, 2*n)
			}
			if got := answers(s, n)[14]; got != want[14] {
				t.Errorf("the change is %s", got)
			}
			s.Close()
			cfg, _ = testConfig(crashed, up...)
			first.set(func() { first.devices[7] = dev(7, "10.1.0.7", "changed") })
			s = openStore(t, cfg)
			eventually(t, "all is right", func() bool {
				for i, got := range answers(s, n) {
					if got != want[i] {
						return false
					}
				}
				return true
			})
		}))
	}
}
