package fastpath

import (
	"errors"
	"io/fs"
	"net/netip"
	"syscall"
	"unsafe"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
	"dcs/render/device"
)

// answer handles the requests that receive collected, and returns how many of them were rendered.
func (w *worker) answer(wall, mono int64, rx []packet.Packet) int {
	c := &w.counts
	if w.blksizes != nil {
		w.table.Grant(w.blksizes.Load())
	}
	n := 0
	for _, i := range w.requests {
		p := &rx[i]
		if p.Data[1] == tftp.OpWRQ {
			c.events[WriteRequest]++
			w.refuse(p, tftp.CodeAccess, "Read only")
			continue
		}
		c.events[ReadRequest]++
		waited := int64(0)
		if p.Time != 0 {
			waited = max(wall-p.Time, 0)
			c.wait.add(waited, 1)
			if w.stale > 0 && waited > w.stale {
				c.events[Stale]++
				continue
			}
		}
		if w.draining {
			c.events[Refused]++
			continue
		}
		rq := &w.parsed
		if err := tftp.ParseRequest(p.Data, rq); err != nil {
			ev := malformed(err)
			c.events[ev]++
			if ev == OptionProxy {
				w.refuse(p, tftp.CodeOption, "Ambiguous hwaddr or netaddr")
			} else {
				w.refuse(p, tftp.CodeIllegal, "Malformed request")
			}
			continue
		}
		if rq.Bad != 0 {
			c.events[OptionBad]++
		}
		id, ok := w.table.Request(mono, p, rq, w.out)
		if !ok {
			continue
		}
		at := n * (w.room + roomSpread)
		w.ids[n] = id
		w.waited[n] = waited
		w.reqs[n] = Request{
			Requester: device.Requester{Name: rq.Name, Client: p.Peer.Addr(), MAC: rq.HWAddr},
			Server:    p.Local.Addr(), NetAddr: rq.NetAddr,
			Buf: w.scratch[at : at : at+w.room],
		}
		n++
	}
	if n == 0 {
		return 0
	}
	begun := w.elapsed()
	w.renderer.RenderBatch(wall, w.reqs[:n])
	c.render.add(w.elapsed()-begun, uint64(n))
	for i := range w.reqs[:n] {
		w.finish(mono, &w.reqs[i], w.ids[i])
	}
	clear(w.reqs[:n])
	return n
}

// finish starts the transfer of a rendered request, or sends the ERROR.
func (w *worker) finish(mono int64, r *Request, id transfer.ID) {
	c := &w.counts
	switch {
	case r.Err == nil:
		w.table.Start(mono, id, r.Body, within(r.Body, r.Buf), r.Hold, &r.Requester, w.out)
	case errors.Is(r.Err, fs.ErrNotExist):
		c.events[NotFound]++
		w.table.Reject(id, tftp.CodeNotFound, "File not found", w.out)
	case errors.Is(r.Err, fs.ErrPermission):
		c.events[Denied]++
		w.table.Reject(id, tftp.CodeAccess, "Access violation", w.out)
	case errors.Is(r.Err, syscall.EAGAIN):
		c.events[NotYet]++
		w.table.Drop(id)
	default:
		c.events[RenderFailed]++
		w.table.Reject(id, tftp.CodeUndefined, "Cannot make the file", w.out)
	}
}

// within reports whether body is in buf, which the next batch overwrites.
func within(body, buf []byte) bool {
	if len(body) == 0 || cap(buf) == 0 {
		return false
	}
	at, from := uintptr(unsafe.Pointer(unsafe.SliceData(body))), uintptr(unsafe.Pointer(unsafe.SliceData(buf)))
	return at >= from && at < from+uintptr(cap(buf))
}

// refuse answers a request with an ERROR, unless that would end a running transfer of its client.
func (w *worker) refuse(in *packet.Packet, code tftp.Code, text string) {
	if w.table.Engaged(in) {
		return
	}
	p := w.out.Next()
	p.Peer, p.Zone, p.Link, p.TOS = in.Peer, in.Zone, in.Link, in.TOS
	p.Local = netip.AddrPortFrom(in.Local.Addr(), in.TID)
	p.Data = tftp.AppendERROR(p.Data, code, text)
}

func (w *worker) send(batch []packet.Packet) {
	w.counts.events[Sent] += uint64(len(batch))
	if err := w.transport.Send(batch); err != nil && w.sendErr == nil {
		w.sendErr = err
	}
}
