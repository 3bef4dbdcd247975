package transfer

import (
	"runtime/debug"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
)

// advance marks n more blocks as acknowledged.
func (t *Table) advance(e *entry, n uint32) {
	e.acked += n
	if e.netascii {
		for ; n > 0; n-- {
			e.text.next(t.text[:0], int(e.blksize), e.body)
		}
	}
}

// transmit marks n more blocks as acknowledged, and sends the OACK or at most that many blocks after the last
// acknowledged one. If the body is a mapped file that has been truncated since, it ends the transfer with an ERROR and
// returns false.
func (t *Table) transmit(id ID, e *entry, n, most uint32, out *packet.Queue) (ok bool) {
	if e.hold == nil {
		t.advance(e, n)
		t.write(e, most, out)
		return true
	}
	t.writing = nil
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if ok = r == nil; ok {
			return
		}
		if _, fault := r.(interface{ Addr() uintptr }); !fault {
			panic(r) //nolint:forbidigo // not ours: it goes on
		}
		p := t.writing
		if p == nil {
			p = out.Next()
			e.address(p)
		}
		p.Data = tftp.AppendERROR(p.Room()[:0], tftp.CodeUndefined, "The file has changed")
		t.fail(id, FileCut, nil)
		t.release(id)
	}()
	t.advance(e, n)
	t.write(e, most, out)
	return true
}

// write sends the OACK, or at most that many blocks after the last acknowledged one.
func (t *Table) write(e *entry, most uint32, out *packet.Queue) {
	body := e.body
	if e.state == negotiating {
		p := out.Next()
		e.address(p)
		p.Data = tftp.AppendOACK(p.Data, &tftp.Options{
			Has: e.options, Blksize: int(e.blksize), Timeout: int(e.timeout), Tsize: int64(len(body)), Windowsize: int(e.window),
		})
		return
	}
	pos := e.text
	block := e.acked
	for range most {
		if e.last != 0 && block == e.last {
			break
		}
		block++
		p := out.Next()
		e.address(p)
		t.writing = p
		if e.netascii {
			p.Data = pos.next(tftp.AppendDATA(p.Data, uint16(block), nil), int(e.blksize), body)
			if len(p.Data) < tftp.DataHeader+int(e.blksize) {
				e.last = block
			}
		} else {
			off := int(block-1) * int(e.blksize)
			p.Data = tftp.AppendDATA(p.Data, uint16(block), body[off:min(off+int(e.blksize), len(body))])
		}
		t.Count[BlockSent]++
	}
	e.sent = max(e.sent, block)
}
