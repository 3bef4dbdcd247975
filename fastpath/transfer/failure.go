package transfer

import (
	"fmt"
	"strconv"

	"dcs/fastpath/tftp"
	"dcs/render/device"
)

// A Failure is the event that ended a transfer before the client had acknowledged all of the file: GaveUp, Overdue, Retired,
// FileCut, or PeerUndefined and those behind it.
type Failure Event

// Error says what happened.
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

// fail counts and reports why a transfer ends. text is that of the client's ERROR.
func (t *Table) fail(e *entry, why Event, text []byte) {
	t.Count[why]++
	if t.cfg.OnFailure == nil {
		return
	}
	t.failure = device.Outcome{
		Requester: device.Requester{Name: e.file[:min(e.nameLen, nameRoom)], Client: e.client, MAC: e.mac},
		Truncated: e.nameLen > nameRoom, Size: len(e.body),
		Err: Failure(why), Reason: why.String(), Value: e.appendProgress(t.failure.Value[:0], text), Undelivered: true,
	}
	t.cfg.OnFailure(&t.failure)
	t.failure.Name = nil
}

// appendProgress appends how far a transfer came. How many blocks a file in netascii has is not known before its end.
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
