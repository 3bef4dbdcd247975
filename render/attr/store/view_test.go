package store

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"dcs/render/attr"
)

func TestViewNoAllocs(t *testing.T) { synctest.Test(t, testViewNoAllocs) }

func testViewNoAllocs(t *testing.T) {
	f := newFake("db", []string{"a", "b"}, dev(1, "10.0.0.1", "1", "2"), dev(2, "", "1", "2"))
	cfg, _ := testConfig(t.TempDir(), following{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 1, "a=1 b=2")
	f.apply <- []attr.Change{{Device: dev(3, "10.0.0.3", "3")}, gone(dev(2, ""))}
	is(t, s, 3, "a=3")
	dst := make(attr.Record, 0, 2)
	known, changed, none := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("10.0.0.7")
	var batch []attr.Query
	for i := range 5 {
		batch = append(batch, attr.Query{MAC: mac(i), Values: make(attr.Record, 0, 2)})
	}
	for _, ip := range []netip.Addr{known, changed, none} {
		batch = append(batch, attr.Query{IP: ip, Values: make(attr.Record, 0, 2)})
	}
	peek := []attr.Query{{MAC: mac(1), Peek: true}, {MAC: mac(3), Peek: true}, {IP: changed, Peek: true}, {IP: known, Peek: true}}
	for name, call := range map[string]func(){
		"peek":            func() { s.View().LookupBatch(peek) },
		"batch":           func() { s.View().LookupBatch(batch) },
		"in the file":     func() { s.View().Lookup(mac(1), dst) },
		"changed":         func() { s.View().Lookup(mac(3), dst) },
		"gone":            func() { s.View().Lookup(mac(2), dst) },
		"unknown":         func() { s.View().Lookup(mac(9), dst) },
		"address in file": func() { s.View().LookupIP(known, dst) },
		"changed address": func() { s.View().LookupIP(changed, dst) },
		"no address":      func() { s.View().LookupIP(none, dst) },
		"miss":            func() { s.Miss(1, mac(9), none) },
	} {
		if n := testing.AllocsPerRun(1000, call); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	s.View().LookupBatch(batch)
	for i := range batch {
		q := &batch[i]
		want := attr.Query{}
		if !q.MAC.IsZero() {
			want.Values, want.Found = s.View().Lookup(q.MAC, nil)
		} else {
			want.Values, want.Owner, want.Found = s.View().LookupIP(q.IP, nil)
		}
		if q.Found != want.Found || q.Owner != want.Owner || q.Found && !slices.Equal(q.Values, want.Values) {
			t.Errorf("batch: %+v, want %+v", *q, want)
		}
	}
	all := map[string]string{}
	if err := s.View().Each(func(d *attr.Device) error {
		all[fmt.Sprint(d.MAC[5], d.IP)] = strings.Join(d.Values, " ")
		return nil
	}); err != nil || len(all) != 2 || all["1 10.0.0.1"] != "1 2" || strings.TrimSpace(all["3 10.0.0.3"]) != "3" {
		t.Errorf("Each: %q, %v", all, err)
	}
	var v *View
	if v.LookupBatch(batch); batch[1].Found || len(batch[1].Values) > 0 {
		t.Error("the nil view knows a device in a batch")
	}
	if _, ok := v.Lookup(mac(1), dst); ok || v.Schema().Len() != 0 {
		t.Error("the nil view knows a device")
	}
	if _, _, ok := v.LookupIP(known, dst); ok {
		t.Error("the nil view knows an address")
	}
}

// Readers see whole records of one version or another while files and overlays are swapped.
func TestViewConcurrent(t *testing.T) {
	version := func(n int) (list []attr.Device) {
		for i := range 50 {
			list = append(list, dev(i, fmt.Sprintf("10.0.0.%d", i), fmt.Sprint(n), fmt.Sprint(n)))
		}
		return list
	}
	f := newFake("db", []string{"a", "b"}, version(0)...)
	cfg, _ := testConfig(t.TempDir(), following{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 49, "a=0 b=0")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for range 4 {
		wg.Go(func() {
			dst := make(attr.Record, 0, 2)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				v := s.View()
				r, ok := v.Lookup(mac(i%50), dst)
				if !ok || len(r) != 2 || r[0] != r[1] {
					t.Errorf("record %q, %v", r, ok)
					return
				}
				ip := netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 50)})
				if r, m, ok := v.LookupIP(ip, dst); !ok || m != mac(i%50) || r[0] != r[1] {
					t.Errorf("record %q, %v", r, ok)
					return
				}
			}
		})
	}
	for n := 1; n <= 30; n++ {
		devices := version(n)
		served := func() { is(t, s, 49, fmt.Sprintf("a=%d b=%d", n, n)) }
		switch n % 3 {
		case 0:
			f.set(func() { f.devices = devices })
			f.apply <- nil
			served()
		case 1:
			var c []attr.Change
			for _, d := range devices {
				c = append(c, attr.Change{Device: d})
			}
			f.apply <- c
			served()
		case 2:
			s.requestRebuild() // beside the load that is next
		}
	}
	is(t, s, 7, "a=30 b=30")
}
