package localdb

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"dcs/render/attr"
	"dcs/render/device"
)

func TestCompare(t *testing.T) {
	ip := netip.MustParseAddr
	var file []*attr.Device
	for i := range uint64(100) { // more than are compared at once
		file = append(file, &attr.Device{MAC: mac(1000 + i), Values: []string{"x"}})
	}
	file = append(file,
		&attr.Device{MAC: mac(1), IP: ip("10.0.0.1"), Values: []string{"1", ""}},
		&attr.Device{MAC: mac(2), IP: ip("10.0.0.2"), Values: []string{"", "2"}},
		&attr.Device{IP: ip("10.0.0.3"), Values: []string{"3"}},
		&attr.Device{IP: ip("2001:db8::4"), Values: []string{"4"}},
		&attr.Device{MAC: mac(5)},
		&attr.Device{MAC: mac(6), IP: ip("10.0.0.7")}, // device 7 takes its address
		&attr.Device{MAC: mac(7), IP: ip("10.0.0.7")},
	)
	db, _ := build(t, Options{}, []string{"a", "b"}, file...)
	if err := db.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}

	var met []attr.Device
	var same []bool
	c := db.Compare(func(d *attr.Device, ok bool) error {
		met, same = append(met, *d), append(same, ok)
		return nil
	})
	cases := []struct {
		d    attr.Device
		want bool
	}{
		{attr.Device{MAC: mac(1), IP: ip("10.0.0.1"), Values: []string{"1"}}, true},
		{attr.Device{MAC: mac(1), IP: ip("::ffff:10.0.0.1"), Values: []string{"1", ""}}, true},
		{attr.Device{MAC: mac(1), IP: ip("10.0.0.1"), Values: []string{"1", "2"}}, false},
		{attr.Device{MAC: mac(1), IP: ip("10.0.0.1"), Values: []string{"11"}}, false},
		{attr.Device{MAC: mac(1), IP: ip("10.0.0.2"), Values: []string{"1"}}, false},
		{attr.Device{MAC: mac(1), Values: []string{"1"}}, false},
		{attr.Device{MAC: mac(2), IP: ip("10.0.0.2"), Values: []string{"2", ""}}, false},
		{attr.Device{IP: ip("10.0.0.2"), Values: []string{"", "2"}}, false},
		{attr.Device{IP: ip("10.0.0.3"), Values: []string{"3"}}, true},
		{attr.Device{IP: ip("2001:db8::4"), Values: []string{"4"}}, true},
		{attr.Device{MAC: mac(5)}, true},
		{attr.Device{MAC: mac(5), IP: ip("10.0.0.5")}, false},
		{attr.Device{MAC: mac(6), IP: ip("10.0.0.7")}, true},
		{attr.Device{MAC: mac(9)}, false},
		{attr.Device{IP: ip("10.0.0.9")}, false},
	}
	for i := range cases {
		if err := c.Add(&cases[i].d); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 90 {
		if err := c.Add(file[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	for i, tc := range cases {
		if met[i].MAC != tc.d.MAC || met[i].IP != tc.d.IP.Unmap() || same[i] != tc.want {
			t.Errorf("%v: %v, want %v", tc.d, same[i], tc.want)
		}
	}
	if rest := same[len(cases):]; len(rest) != 90 || slices.Contains(rest, false) {
		t.Errorf("the others: %v", rest)
	}
	unmet := map[device.MAC]bool{}
	if err := c.Unmet(func(d *attr.Device) error { unmet[d.MAC] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(10) {
		if !unmet[mac(1090+i)] {
			t.Errorf("device %d was not met", 1090+i)
		}
	}
	if len(unmet) != 11 || !unmet[mac(7)] {
		t.Errorf("not met: %v", unmet)
	}
	stop := errors.New("stop")
	c = db.Compare(func(*attr.Device, bool) error { return stop })
	if _ = c.Add(file[0]); c.Flush() != stop || c.Unmet(func(*attr.Device) error { return stop }) != stop {
		t.Error("an error was lost")
	}
}
