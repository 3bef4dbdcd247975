package fastpath

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
)

// BenchmarkTransfer measures the worker's own cost of a whole transfer of a 400-octet file: an RRQ answered with DATA,
// and its ACK. Nothing is rendered or sent.
func BenchmarkTransfer(b *testing.B) {
	for _, bb := range []struct {
		name    string
		file    string
		options tftp.Options
		running int  // other transfers in the table
		timed   bool // packets have the time of their arrival, and the clock is a real one
	}{
		{"static", "static", tftp.Options{}, 0, false},
		{"dynamic", "dynamic", tftp.Options{}, 0, false},
		{"dynamic-timed", "dynamic", tftp.Options{}, 0, true},
		{"dynamic-oack", "dynamic", tftp.Options{Has: tftp.Blksize | tftp.Tsize, Blksize: 1428}, 0, false},
		{"dynamic-crowded", "dynamic", tftp.Options{}, 60000, false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			const batch = 64
			ft := &fakeTransport{discard: true}
			var now int64
			clock := func() (int64, int64) { return now, now }
			begun := time.Now()
			if bb.timed {
				clock = func() (int64, int64) {
					now := time.Now()
					return now.UnixNano(), int64(now.Sub(begun))
				}
			}
			w := newWorker(Config{}, ft, files{"static": make([]byte, 400), "dynamic": make([]byte, 400), "long": make([]byte, 1000)}, clock)
			request := rrq(bb.file, bb.options)
			for i := 0; i < bb.running; i += batch {
				var asked, acked []packet.Packet
				for j := range batch {
					asked = append(asked, toServer(modem(1<<20+i+j), rrq("long", bb.options)))
					acked = append(acked, toTransfer(modem(1<<20+i+j), tftp.AppendACK(nil, 1)))
				}
				w.handle(now, now, asked)
				w.handle(now, now, acked)
			}
			rounds := make([][3][]packet.Packet, 64)
			for r := range rounds {
				for i := range batch {
					m := modem(r*batch + i)
					rounds[r][0] = append(rounds[r][0], toServer(m, request))
					rounds[r][1] = append(rounds[r][1], toTransfer(m, tftp.AppendACK(nil, 0)))
					rounds[r][2] = append(rounds[r][2], toTransfer(m, tftp.AppendACK(nil, 1)))
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			for ; n < b.N; n += batch {
				now += 1000
				r := &rounds[n/batch%len(rounds)]
				if bb.timed {
					wall, mono := clock()
					for i := range r[0] {
						r[0][i].Time = wall - int64(i)*1000
					}
					w.handle(wall, mono, r[0])
					w.handle(wall, mono, r[2])
					continue
				}
				w.handle(now, now, r[0])
				if bb.options.Has != 0 {
					w.handle(now, now, r[1])
				}
				w.handle(now, now, r[2])
			}
			b.StopTimer()
			if f := w.table.Count; int(f[transfer.Finished]) != n {
				b.Fatal(fmt.Sprint(n, " transfers begun: ", f))
			}
		})
	}
}

// BenchmarkManyTransfers measures the worker's own cost of a whole transfer of a 400-octet file among 28,672 others,
// whose clients acknowledge in another order than they asked in, so that a client's entry is in no near cache when its
// ACK arrives.
func BenchmarkManyTransfers(b *testing.B) {
	const batch, batches = 64, 448
	w := newWorker(Config{}, &fakeTransport{discard: true}, files{"dynamic": make([]byte, 400)}, func() (int64, int64) { return 0, 0 })
	request, ack := rrq("dynamic", tftp.Options{}), tftp.AppendACK(nil, 1)
	rng := rand.New(rand.NewPCG(1, 2))
	// Of two populations one runs while the other asks.
	var requests, acks [2][batches][]packet.Packet
	for half := range 2 {
		for i, m := range rng.Perm(batches * batch) {
			requests[half][i/batch] = append(requests[half][i/batch], toServer(modem(half*batches*batch+m), request))
		}
		for i, m := range rng.Perm(batches * batch) {
			acks[half][i/batch] = append(acks[half][i/batch], toTransfer(modem(half*batches*batch+m), ack))
		}
	}
	for _, ps := range requests[1] {
		w.handle(0, 0, ps)
	}
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for ; n < b.N; n += batch {
		asking, i := n/batch/batches%2, n/batch%batches
		w.handle(0, 0, requests[asking][i])
		w.handle(0, 0, acks[1-asking][i])
	}
	b.StopTimer()
	if f := w.table.Count; int(f[transfer.Finished]) != n {
		b.Fatal(fmt.Sprint(n, " transfers begun: ", f))
	}
}
