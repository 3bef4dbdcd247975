package transfer

import (
	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
)

// A Failure describes a transfer that ended before its client had acknowledged the whole file.
type Failure struct {
	Why    Event  // GaveUp, Overdue, Retired, FileCut, or PeerUndefined and those behind it
	Text   []byte // of the client's ERROR
	Device Device // that the file was for
	Name   []byte // of the file: no more of it than its first 63 octets
	Cut    bool   // the name was longer
	Size   int    // of the file, octets
	Acked  int    // blocks acknowledged
	Blocks int    // in the file; 0: netascii has not come to the end
}

// Error handles an ERROR, which ends the client's transfer (RFC 1350, section 7). It is no failure if the client only asked for the
// size.
func (t *Table) Error(in *packet.Packet, code tftp.Code, text []byte) {
	id := t.find(in.Hash, in)
	if id == none {
		t.Count[StrayError]++
		return
	}
	if t.entries[id].probed(code) {
		t.Count[Probed]++
	} else {
		t.fail(id, PeerUndefined+Event(min(code, tftp.Code(PeerOther-PeerUndefined))), text)
	}
	t.release(id)
}

// Unreachable handles ICMP port unreachable from a client's host: the client has closed its socket, which ends its transfer. Boot
// ROMs that only asked for a file's size leave like this, so it is no failure.
func (t *Table) Unreachable(in *packet.Packet) {
	if id := t.find(in.Hash, in); id != none {
		t.Count[Unreachable]++
		t.release(id)
	}
}

// probed reports whether a client that ends its transfer by an ERROR of that code has what it asked for: the size, which boot ROMs
// ask for on its own (tsize, RFC 2349) and then say 0 or 8, or an empty file. One for which the file is too large says 3.
func (e *entry) probed(code tftp.Code) bool {
	return e.embryonic() && (code == tftp.CodeUndefined || code == tftp.CodeOption) && (e.options&tftp.Tsize != 0 || len(e.body) == 0)
}

// fail counts and reports why a transfer ends.
func (t *Table) fail(id ID, why Event, text []byte) {
	t.Count[why]++
	if t.cfg.OnFailure == nil {
		return
	}
	e, c := &t.entries[id], &t.cold[id]
	t.failure = Failure{
		Why: why, Text: text, Device: c.device, Name: c.file[:min(c.nameLen, nameRoom)], Cut: c.nameLen > nameRoom,
		Size: len(e.body), Acked: int(e.acked), Blocks: int(e.last),
	}
	t.cfg.OnFailure(&t.failure)
	t.failure = Failure{}
}
