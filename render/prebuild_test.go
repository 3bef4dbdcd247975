package render

import (
	"context"
	"errors"
	"testing"

	"dcs/render/attr"
	"dcs/render/device"
	"dcs/render/mic"
)

// A file that was rendered ahead is what a request gets, but for the time and what it is hashed into.
func TestPrebuild(t *testing.T) {
	e := newEngine(t, librarySource)
	each := func(yield func(*attr.Device) error) error {
		for mac, rec := range devices {
			if err := yield(&attr.Device{MAC: mac, HasMAC: true, IP: client, Values: rec}); err != nil {
				return err
			}
		}
		return nil
	}
	compared, faults := 0, 0
	w := e.Worker()
	p, err := e.Prebuild(context.Background(), now, each, func(d *attr.Device, name string, file []byte, bad error) error {
		for _, at := range []int64{now, now + 1000e9} {
			r := []Request{{Requester: device.Requester{Name: []byte(name), Client: client, MAC: d.MAC}}}
			w.RenderBatch(at, r)
			if (r[0].Err == nil) != (bad == nil) || len(r[0].Body) != len(file) {
				t.Fatalf("%s of %x: %d octets, %v; ahead %d, %v", name, d.MAC, len(r[0].Body), r[0].Err, len(file), bad)
			}
			if bad != nil {
				faults++
				continue
			}
			compared++
			a, b := timeless(t, file), timeless(t, r[0].Body)
			if at == now {
				a, b = file, r[0].Body
			}
			if string(a) != string(b) {
				t.Errorf("%s of %x: ahead %x, asked for %x", name, d.MAC, a, b)
			}
		}
		return nil
	})
	if err != nil || p.Devices != len(devices) || p.Templates == 0 || compared == 0 || faults != 2*p.Faults || compared+faults != 2*p.Files {
		t.Errorf("%+v, %v; %d compared, %d faults", p, err, compared, faults)
	}
	learned := e.Stats().Learned
	r := []Request{{Requester: device.Requester{Name: []byte("device"), Client: client, MAC: [6]byte{2, 0, 0, 0, 0, 1}}}}
	if w.RenderBatch(now, r); r[0].Err != nil || e.Stats().Learned != learned {
		t.Errorf("a request had to learn: %v, %d before, %d after", r[0].Err, learned, e.Stats().Learned)
	}
	stop := errors.New("stop")
	if _, err := e.Prebuild(context.Background(), now, each, func(*attr.Device, string, []byte, error) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of yield: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Prebuild(ctx, now, each, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// What a request brings is no fault of a device.
func TestPrebuildServer(t *testing.T) {
	e := newEngine(t, map[string]string{"a.dcs": `Main "a" { SwUpgradeFilename "$server/$name"; TftpModemAddress $ip; } Main "b" { default name x; SwUpgradeFilename $name; SwUpgradeServer $server; }`})
	each := func(yield func(*attr.Device) error) error {
		return yield(&attr.Device{Values: attr.Record{"gold", "512", "gold"}})
	}
	p, err := e.Prebuild(context.Background(), now, each, func(_ *attr.Device, name string, _ []byte, bad error) error {
		if bad != nil {
			t.Errorf("%s: %v", name, bad)
		}
		return nil
	})
	if err != nil || p.Files != 2 || p.Faults != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// timeless returns a copy of a modem's file with TLV 19 and both MICs made zero.
func timeless(t *testing.T, file []byte) []byte {
	out := append([]byte(nil), file...)
	if err := mic.Walk(file, func(_, hdr, end int, code byte) bool {
		if code == 6 || code == 7 || code == 19 {
			clear(out[hdr:end])
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return out
}
