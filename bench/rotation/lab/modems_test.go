package lab

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"dcs/bench/cmts"
	"dcs/render/mic"
)

// The rejection of a modem that comes later than the drain time is counted separately; every other one counts.
func TestRegister(t *testing.T) {
	modem := netip.MustParseAddr("127.18.0.1")
	signed := func(secret string, age time.Duration) []byte {
		body := []byte{3, 1, 1}
		if age >= 0 {
			body = append(body, 19, 4)
			body = binary.BigEndian.AppendUint32(body, uint32(time.Now().Add(-age).Unix()+2208988800))
		}
		file, err := mic.Sign(body, mic.NewSecret([]byte(secret)))
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	const untimed = -1
	for _, tt := range []struct {
		name     string
		secret   string
		age      time.Duration
		drain    time.Duration
		rejected int
		late     int
	}{
		{"under the secret", "new", 0, time.Minute, 0, 0},
		{"under the secret, late", "new", 2 * time.Minute, time.Minute, 0, 0},
		{"under the old one", "old", 0, time.Minute, 1, 0},
		{"just within the drain", "old", 57 * time.Second, time.Minute, 1, 0},
		{"at its end", "old", time.Minute, time.Minute, 0, 1},
		{"late", "old", time.Hour, time.Minute, 0, 1},
		{"late, without a drain time", "old", time.Hour, 0, 1, 0},
		{"without a time", "old", untimed, time.Minute, 1, 0},
	} {
		c := &CMTS{CMTS: cmts.New(cmts.Config{Name: "c", Make: cmts.C4, Secret: "new", ProcessingTime: 24 * time.Hour})}
		c.register(signed(tt.secret, tt.age), modem, tt.drain)
		if n, _, why := c.Rejected(); n != tt.rejected || c.Late() != tt.late {
			t.Errorf("%s: rejected %d, late %d, want %d and %d: %s", tt.name, n, c.Late(), tt.rejected, tt.late, why)
		}
	}
}
