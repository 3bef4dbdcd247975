package transfer

import (
	"testing"
	"time"

	"dcs/fastpath/tftp"
)

// A transfer ends when it has taken too long, however its client keeps it alive, and not before if it is only slow.
func TestOverdue(t *testing.T) {
	small := tftp.Options{Has: tftp.Blksize, Blksize: 8}
	for _, tt := range []struct {
		name  string
		every time.Duration // between two ACKs
		gap   bool          // each ACK reports the loss of the window's last block
		o     tftp.Options
		size  int
		want  Event
		most  time.Duration
	}{
		{"an ACK every four seconds", 4 * time.Second, false, small, 1400, Overdue, (60+176)*time.Second + 4*time.Second},
		{"a slow client", 900 * time.Millisecond, false, tftp.Options{Has: tftp.Tsize}, 512 * 1000, Finished, time.Hour},
		{"slow, of few blocks", 7 * time.Second, false, tftp.Options{Has: tftp.Tsize}, 2000, Finished, time.Hour},
		{"nothing but gaps", 50 * time.Millisecond, true, tftp.Options{Has: tftp.Windowsize, Windowsize: 8}, 512*1000 - 1, Finished, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{})
			begin := r.now
			r.start(client(1), "f", tt.o, make([]byte, tt.size))
			for block := 0; r.tab.Active() > 0; {
				r.ack(client(1), uint16(block))
				n := 0
				for _, p := range r.take() {
					if tftp.Opcode(p.Data) == tftp.OpDATA {
						n++
					}
				}
				if tt.gap && n > 1 {
					n--
				}
				block += n
				for end := r.now + int64(tt.every); r.now < end && r.tab.Active() > 0; {
					r.now += int64(50 * time.Millisecond)
					r.tab.Expire(r.now, r.out)
					r.take()
				}
			}
			if r.tab.Count[tt.want] != 1 || r.now-begin > int64(tt.most) {
				t.Errorf("%d %v after %v, want 1 within %v", r.tab.Count[tt.want], tt.want, time.Duration(r.now-begin), tt.most)
			}
		})
	}
}

// Retransmissions are bounded, whatever a client reports as lost.
func TestResendsAreBounded(t *testing.T) {
	const blocks, window = 3 * 64, 64
	for _, tt := range []struct {
		name string
		ack  func(sent, acked uint32) uint32
		want Event
	}{
		{"the first block of each window", func(_, acked uint32) uint32 { return acked }, GaveUp},
		{"all but the first block of each window", func(_, acked uint32) uint32 { return acked + 1 }, Overdue},
		{"now the one, now the other", func(sent, acked uint32) uint32 { return acked + sent&1 }, Overdue},
	} {
		r := newRig(t, Config{})
		r.start(client(1), "f", tftp.Options{Has: tftp.Windowsize, Windowsize: window}, make([]byte, 512*blocks-1))
		r.ack(client(1), 0)
		sent := len(r.take())
		for n := uint32(0); r.tab.Active() > 0; n++ {
			r.now += int64(1100 * time.Millisecond)
			r.tab.Expire(r.now, r.out)
			if e := &r.tab.entries[0]; r.tab.Active() > 0 {
				r.ack(client(1), uint16(tt.ack(n, e.acked)))
			}
			sent += len(r.take())
		}
		if r.tab.Count[tt.want] != 1 || sent > window*(graceResent+blocks+1) {
			t.Errorf("%s: %v, %d packets", tt.name, r.tab.Count, sent)
		}
	}
}

// After a timeout one block of the window is sent; the client may acknowledge it, or all that it has received before.
func TestTimeoutSendsOneBlock(t *testing.T) {
	for _, ack := range []uint16{1, 2, 5, 8} {
		r := newRig(t, Config{})
		body := make([]byte, 512*20)
		r.start(client(1), "f", tftp.Options{Has: tftp.Windowsize, Windowsize: 8}, body)
		r.ack(client(1), 0)
		if n := len(r.take()); n != 1+8 {
			t.Fatalf("%d packets", n)
		}
		r.now += int64(1100 * time.Millisecond)
		r.tab.Expire(r.now, r.out)
		if sent := r.take(); len(sent) != 1 || sent[0].Data[3] != 1 {
			t.Fatalf("after a time-out: %d packets", len(sent))
		}
		r.ack(client(1), ack)
		sent := r.take()
		if len(sent) != 8 || sent[0].Data[3] != byte(ack+1) {
			t.Errorf("after ACK %d: %d packets", ack, len(sent))
		}
	}
}
