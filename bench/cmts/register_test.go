package cmts_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"dcs/bench/cmts"
	"dcs/render/mic"
)

// file signs TLVs of a boot file.
func file(t *testing.T, secret string, tlvs ...[]byte) []byte {
	t.Helper()
	body := []byte{3, 1, 1}
	for _, b := range tlvs {
		body = append(body, b...)
	}
	f, err := mic.Sign(body, mic.NewSecret([]byte(secret)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRegister(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) []byte {
		return binary.BigEndian.AppendUint32([]byte{19, 4}, uint32(now.Add(d).Unix()+2208988800))
	}
	modem := netip.MustParseAddr("10.1.2.3")
	six := netip.MustParseAddr("2001:db8::3")
	addr4, addr6 := append([]byte{20, 4}, modem.AsSlice()...), append([]byte{59, 16}, six.AsSlice()...)

	c := cmts.New(cmts.Config{Name: "c", Make: cmts.C4, Secret: "DOCSIS"})
	broken := file(t, "DOCSIS")
	broken[2] = 0
	tests := []struct {
		name   string
		file   []byte
		modem  netip.Addr
		reason cmts.Reason
		ok     bool
	}{
		// The golden file of one TLV, from an independent encoder.
		{"golden", []byte("\x03\x01\x01\x06\x10\xa3\xab\x4e\x90\x09\xb0\xf6\x5a\x3f\xf9\x16\x99\x98\x53\xa2\x57\x07\x10\x8e\xce\x12\x8a\xba\xee\x3a\x1f\xac\xa9\x37\x37\xc5\x76\xbb\x7e\xff"), modem, 0, true},
		{"all of it", file(t, "DOCSIS", at(0), addr4), modem, 0, true},
		{"mapped address", file(t, "DOCSIS", addr4), netip.MustParseAddr("::ffff:10.1.2.3"), 0, true},
		{"IPv6", file(t, "DOCSIS", addr6), six, 0, true},
		{"at the limit", file(t, "DOCSIS", at(-30*time.Second)), modem, 0, true},
		{"early", file(t, "DOCSIS", at(30*time.Second)), modem, 0, true},
		{"too old", file(t, "DOCSIS", at(-31*time.Second)), modem, cmts.BadTime, false},
		{"from the future", file(t, "DOCSIS", at(31*time.Second)), modem, cmts.BadTime, false},
		{"another's file", file(t, "DOCSIS", addr4), netip.MustParseAddr("10.1.2.4"), cmts.BadAddress, false},
		{"another's file, IPv6", file(t, "DOCSIS", addr6), netip.MustParseAddr("2001:db8::4"), cmts.BadAddress, false},
		{"other secret", file(t, "other"), modem, cmts.BadCMTSMIC, false},
		{"changed", broken, modem, cmts.BadMIC, false},
		{"cut", file(t, "DOCSIS")[:20], modem, cmts.BadFile, false},
		{"no MICs", []byte{3, 1, 1, 255}, modem, cmts.BadMIC, false},
		{"empty", nil, modem, cmts.BadMIC, false},
	}
	accepted, rejected := 0, 0
	for _, tt := range tests {
		err := c.Register(tt.file, tt.modem, now)
		var r *cmts.Rejection
		switch {
		case tt.ok && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case !tt.ok && (!errors.As(err, &r) || r.Reason != tt.reason):
			t.Errorf("%s: %v, want it rejected for its %s", tt.name, err, tt.reason)
		}
		if tt.ok {
			accepted++
		} else {
			rejected++
		}
	}
	n := c.Counts()
	if n.Accepted != uint64(accepted) || n.Rejected != uint64(rejected) || n.Reasons[cmts.BadTime] != 2 || n.Reasons[cmts.BadAddress] != 2 {
		t.Errorf("counted %+v, want %d and %d", n, accepted, rejected)
	}
}

// A CMTS without a secret checks the MIC with an empty key.
func TestRegisterWithoutSecret(t *testing.T) {
	c := cmts.New(cmts.Config{Name: "c", Make: cmts.BSR})
	modem := netip.MustParseAddr("10.0.0.1")
	if err := c.Register(file(t, ""), modem, time.Unix(0, 0)); err != nil {
		t.Error(err)
	}
	if err := c.Register(file(t, "x"), modem, time.Unix(0, 0)); err == nil {
		t.Error("a file under a secret was accepted")
	}
}

func BenchmarkRegister(b *testing.B) {
	c := cmts.New(cmts.Config{Name: "c", Make: cmts.C4, Secret: "DOCSIS"})
	f, err := mic.Sign([]byte{3, 1, 1, 20, 4, 10, 1, 2, 3}, mic.NewSecret([]byte("DOCSIS")))
	if err != nil {
		b.Fatal(err)
	}
	modem, now := netip.MustParseAddr("10.1.2.3"), time.Unix(1, 0)
	for b.Loop() {
		if err := c.Register(f, modem, now); err != nil {
			b.Fatal(err)
		}
	}
}
