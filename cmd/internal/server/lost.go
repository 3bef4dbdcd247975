package server

import (
	"fmt"
	"strconv"

	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
	"dcs/render"
	"dcs/render/mapped"
)

// lost is why a file that was rendered has not arrived: the event that ended its transfer.
type lost transfer.Event

func (l lost) Error() string {
	switch transfer.Event(l) {
	case transfer.GaveUp:
		return "the client has fallen silent"
	case transfer.Overdue:
		return "the transfer has taken too long"
	case transfer.Retired:
		return "the client has fallen silent, and others wanted its place"
	case transfer.FileCut:
		return mapped.ErrCut.Error()
	case transfer.PeerOther:
		return "the client has ended the transfer by an ERROR"
	}
	code := tftp.Code(l) - tftp.Code(transfer.PeerUndefined)
	return fmt.Sprintf("the client has ended the transfer by ERROR %d (%v)", uint16(code), code)
}

// TransferFailed implements [fastpath.Watcher].
func (a *adapter) TransferFailed(now int64, f *transfer.Failure) {
	value := strconv.AppendInt(a.lost.Value[:0], int64(f.Acked), 10)
	if f.Blocks > 0 {
		value = append(value, " of "...)
		value = strconv.AppendInt(value, int64(f.Blocks), 10)
	}
	value = append(value, " blocks acknowledged"...)
	if len(f.Text) > 0 {
		value = append(value, ": "...)
		value = append(value, f.Text...)
	}
	a.lost = render.Lost{
		Name: f.Name, Cut: f.Cut, Client: f.Device.Addr, MAC: f.Device.MAC, HasMAC: f.Device.HasMAC, Size: f.Size, Err: lost(f.Why), Reason: f.Why.String(), Value: value,
	}
	a.worker.Lost(now, &a.lost)
}
