package localdb

import (
	"encoding/binary"
	"net/netip"
	"path/filepath"
	"testing"

	"dcs/render/attr"
	"dcs/render/device"
)

// A file of an earlier version may have a row with a MAC address of zeros, which means none: its device is found by its IP address, if
// any.
func TestZeroMACInFile(t *testing.T) {
	for ip, want := range map[string]int{"": 1, "10.0.0.7": 2} {
		path := filepath.Join(t.TempDir(), "devices")
		b, err := Create(path, []string{"a"}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Abort()
		if err := b.Add(dev(1, ip, "x")); err != nil {
			t.Fatal(err)
		}
		rec := append([]byte(nil), b.rec...) // of the device that was added
		binary.BigEndian.PutUint64(rec, hashMAC(device.MAC{})<<16)
		if err := b.macs.add(rec); err != nil {
			t.Fatal(err)
		}
		if err := b.Add(dev(1, "", "y")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Commit(nil); err != nil {
			t.Fatal(err)
		}
		db, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		n := 0
		err = db.Each(func(d *attr.Device) error {
			n++
			if d.MAC.IsZero() && d.IP != netip.MustParseAddr("10.0.0.7") {
				t.Errorf("%+v has no address", d)
			}
			return nil
		})
		if err != nil || n != want {
			t.Errorf("%q: %d devices, want %d; %v", ip, n, want, err)
		}
		if _, ok := db.Lookup(device.MAC{}, nil); ok {
			t.Errorf("%q: found by a MAC address of zeros", ip)
		}
		if ip != "" {
			if values, mac, ok := db.LookupIP(netip.MustParseAddr(ip), nil); !ok || !mac.IsZero() || values[0] != "x" {
				t.Errorf("%q, MAC address %v, %v", values, mac, ok)
			}
		}
		db.EachMAC(t.Context(), func(mac device.MAC) {
			if mac.IsZero() {
				t.Errorf("%q: EachMAC gives zeros", ip)
			}
		})
	}
}
