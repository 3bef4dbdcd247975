package transfer

import (
	"fmt"
	"strconv"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/render/device"
)

// A Failure is the event that ended a transfer before the client acknowledged the whole file: GaveUp, Overdue, Retired,
// FileCut, PeerUndefined or one of those after it.
type Failure Event

// Error returns a description of the failure.
func (f Failure) Error() string {
	switch Event(f) {
	case GaveUp:
		return "client stopped responding"
	case Overdue:
		return "transfer took too long"
	case Retired:
		return "client stopped responding; its place was needed"
	case FileCut:
		return "file was cut short while it was sent; replace files by renaming, not in place"
	case PeerOther:
		return "client ended the transfer with an ERROR"
	}
	code := tftp.Code(f) - tftp.Code(PeerUndefined)
	return fmt.Sprintf("client ended the transfer with ERROR %d (%v)", uint16(code), code)
}

// Error handles a client's ERROR, which ends its transfer (RFC 1350, section 7). It does not count as a failure if the
// client only asked for the size.
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

// Unreachable handles ICMP port unreachable from a client's host: the client has closed its socket, which ends its
// transfer. Boot ROMs that only asked for the size of a file do so, so it does not count as a failure.
func (t *Table) Unreachable(in *packet.Packet) {
	if id := t.find(in.Hash, in); id != none {
		t.Count[Unreachable]++
		t.release(id)
	}
}

// probed reports whether a client that ends its transfer with an ERROR of that code has what it wanted: an empty file,
// or the size. Boot ROMs ask for the size alone (tsize, RFC 2349) and then send ERROR 0 or 8. A client for which the
// file is too large sends 3.
func (e *entry) probed(code tftp.Code) bool {
	return e.isHalfOpen() && (code == tftp.CodeUndefined || code == tftp.CodeOption) && (e.options&tftp.Tsize != 0 || len(e.body) == 0)
}

// fail counts and reports the reason for the end of a transfer. text is that of the client's ERROR.
func (t *Table) fail(id ID, why Event, text []byte) {
	t.Count[why]++
	if t.cfg.OnFailure == nil {
		return
	}
	e, c := &t.entries[id], &t.cold[id]
	t.failure = device.Outcome{
		Requester: device.Requester{Name: c.file[:min(c.nameLen, nameRoom)], Client: c.client, MAC: c.mac},
		Truncated: c.nameLen > nameRoom, Size: len(e.body),
		Err: Failure(why), Reason: why.String(), Value: e.appendProgress(t.failure.Value[:0], text), Undelivered: true,
	}
	t.cfg.OnFailure(&t.failure)
	t.failure.Name = nil
}

// appendProgress appends how far a transfer came. The number of blocks of a netascii file is not known before its end.
func (e *entry) appendProgress(dst, text []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(e.acked), 10)
	if e.last > 0 {
		dst = append(dst, " of "...)
		dst = strconv.AppendUint(dst, uint64(e.last), 10)
	}
	dst = append(dst, " blocks acknowledged"...)
	if len(text) > 0 {
		dst = append(dst, ": "...)
		dst = append(dst, text...)
	}
	return dst
}
