package transfer

import (
	"testing"
	"time"

	"dcs/fastpath/tftp"
)

// TestBackoff checks when a block is sent again, and when that ends.
func TestBackoff(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		o    tftp.Options
		ack  bool            // the first packet is acknowledged at once
		want []time.Duration // of the packets that wait for an answer, after the request
		gone time.Duration   // when the transfer is given up
	}{
		{
			name: "default", ack: true, want: []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 23 * time.Second},
			gone: 31 * time.Second,
		},
		{
			name: "configured", ack: true, cfg: Config{Timeout: 500 * time.Millisecond, MaxTimeout: time.Second, Retries: 3},
			want: []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond, 2500 * time.Millisecond}, gone: 3500 * time.Millisecond,
		},
		{
			name: "option timeout: no back-off", ack: true, cfg: Config{Retries: 2}, o: tftp.Options{Has: tftp.Timeout, Timeout: 5},
			want: []time.Duration{0, 5 * time.Second, 10 * time.Second}, gone: 15 * time.Second,
		},
		{
			name: "option timeout: bounded", ack: true, cfg: Config{Retries: 2}, o: tftp.Options{Has: tftp.Timeout, Timeout: 255},
			want: []time.Duration{0, 8 * time.Second, 16 * time.Second}, gone: 24 * time.Second,
		},
		{
			name: "the wheel turns several times", ack: true, cfg: Config{Retries: 1, MaxTimeout: 50 * time.Second}, o: tftp.Options{Has: tftp.Timeout, Timeout: 255},
			want: []time.Duration{0, 50 * time.Second}, gone: 100 * time.Second,
		},
		{name: "half-open", want: []time.Duration{0, 1 * time.Second}, gone: 3 * time.Second},
		{
			name: "half-open, configured", cfg: Config{Timeout: 500 * time.Millisecond, MaxTimeout: 600 * time.Millisecond},
			want: []time.Duration{0, 500 * time.Millisecond}, gone: 1100 * time.Millisecond,
		},
		{name: "half-open: the server bounds its wait", o: tftp.Options{Has: tftp.Timeout, Timeout: 255}, want: []time.Duration{0, 1 * time.Second}, gone: 3 * time.Second},
		{name: "half-open: it is not sent again sooner either", o: tftp.Options{Has: tftp.Timeout | tftp.Windowsize, Timeout: 1, Windowsize: 9}, want: []time.Duration{0, 1 * time.Second}, gone: 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.cfg)
			begin := r.now
			r.start(client(1), "f", tt.o, make([]byte, 600))
			if tt.ack {
				r.take()
				r.ack(client(1), map[bool]uint16{true: 0, false: 1}[tt.o.Has != 0])
			}
			var got []time.Duration
			for r.tab.Active() > 0 {
				for range r.take() {
					got = append(got, time.Duration(r.now-begin))
				}
				r.now += int64(5 * time.Millisecond)
				r.tab.Expire(r.now, r.out)
				if r.now > begin+int64(time.Hour) {
					t.Fatal("never given up")
				}
			}
			if want := map[bool]uint64{true: 0, false: 1}[tt.ack]; r.tab.Count[GaveUpFirst] != want {
				t.Errorf("%d given up with nothing acknowledged, want %d", r.tab.Count[GaveUpFirst], want)
			}
			got = append(got, time.Duration(r.now-begin))
			want := append(tt.want, tt.gone)
			if len(got) != len(want) {
				t.Fatalf("%v, want %v", got, want)
			}
			for i := range want {
				// Never early, and each at most a tick and a step of this loop later than the one before would have it.
				if d := got[i] - want[i]; d < 0 || d > time.Duration(i)*(1<<tickShift+5*time.Millisecond) {
					t.Errorf("packet %d after %v, want %v", i, got[i], want[i])
				}
			}
			if r.tab.Count[GaveUp] != 1 {
				t.Error(r.tab.Count)
			}
		})
	}
}

// A wait that had grown is short again when an ACK comes.
func TestBackoffStartsAnew(t *testing.T) {
	r := newRig(t, Config{})
	r.start(client(1), "f", tftp.Options{}, make([]byte, 2000))
	r.take()
	r.ack(client(1), 1)
	for range 80 {
		r.now += int64(100 * time.Millisecond)
		r.tab.Expire(r.now, r.out)
	}
	if n := len(r.take()); n != 4 { // at 0, 1, 3 and 7 s
		t.Fatalf("%d packets", n)
	}
	r.ack(client(1), 2)
	r.take()
	for i := range 2 {
		r.now += int64(550 * time.Millisecond)
		r.tab.Expire(r.now, r.out)
		if n := len(r.take()); n != i {
			t.Errorf("%d packets %d ms after the ACK", n, 550*(i+1))
		}
	}
}

// An outage ends for many at once: what is due leaves in portions, and all of it.
func TestExpireIsBounded(t *testing.T) {
	r := newRig(t, Config{})
	const n = 3*perExpire + 10
	for i := range n {
		r.start(client(i), "f", tftp.Options{}, []byte("body"))
	}
	r.take()
	r.now += int64(1500 * time.Millisecond)
	total := 0
	for range 4 {
		r.tab.Expire(r.now, r.out)
		k := len(r.take())
		if k > perExpire {
			t.Errorf("%d packets at once", k)
		}
		total += k
	}
	if total != n {
		t.Errorf("%d of %d sent again", total, n)
	}
}
