package localdb

import (
	"context"
	"testing"

	"dcs/render/attr"
	"dcs/render/device"
)

func TestEachMAC(t *testing.T) {
	devices := []*attr.Device{byIP("10.0.0.9", "x")}
	want := map[device.MAC]bool{}
	for i := range uint64(1000) {
		devices = append(devices, dev(i<<20|i, "", "v"))
		want[mac(i<<20|i)] = true
	}
	db, _ := build(t, Options{}, []string{"n"}, devices...)
	got := map[device.MAC]bool{}
	db.EachMAC(t.Context(), func(m device.MAC) { got[m] = true })
	for m := range want {
		if !got[m] {
			t.Errorf("%x is missing", m)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d addresses of %d devices", len(got), len(want))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	db.EachMAC(ctx, func(device.MAC) { t.Fatal("goes on after the end") })
}
