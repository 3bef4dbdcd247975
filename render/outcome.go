package render

import (
	"errors"
	"io/fs"
	"syscall"

	"dcs/render/device"
	"dcs/render/skeleton"
)

// MaxFaults is the maximum number of faults that a worker reports per second and reason.
const MaxFaults = 10

// Reasons of outcomes besides those of [skeleton.Reason] and [Mismatch].
const (
	UnknownName = "unknown_name" // no template and no static file has the name
	Asking      = "asking"       // the device is being looked up: the modem's retry will be answered
	other       = "other"
)

// ReasonOf returns the name, in metrics and logs, of the reason why a request got no file; "" if err is nil.
func ReasonOf(err error) string {
	var fault *skeleton.Fault
	var mismatch Mismatch
	switch {
	case err == nil:
		return ""
	case errors.As(err, &mismatch):
		return mismatch.String()
	case errors.As(err, &fault):
		return fault.Reason.String()
	case errors.Is(err, syscall.EAGAIN):
		return Asking
	case errors.Is(err, fs.ErrNotExist):
		return UnknownName
	}
	return other
}

// report counts the outcome of a request, and passes it to the journal and to Config.OnFault within their limits.
func (w *Worker) report(now int64, r *Request, f *found) {
	entry := w.journal.next(now, r.Err != nil)
	if r.Err == nil && entry == nil {
		return
	}
	o := &w.outcome
	*o = device.Outcome{Requester: r.Requester, Time: now, Size: len(r.Body), Err: r.Err, Value: o.Value[:0]}
	reason, reports := skeleton.Reason(0), true
	switch err := r.Err.(type) {
	case nil:
		reports = false
	case *skeleton.Fault:
		reason = err.Reason
		o.Reason, o.Value = reason.String(), append(o.Value, w.scratch.Bad...)
		w.counted.add(&w.counted.faults[reason])
	case Mismatch: // contradict has reported and counted it
		o.Reason, o.Value, reports = err.String(), f.claim.other.AppendTo(o.Value), false
	default:
		if o.Reason = UnknownName; err == errAsking {
			o.Reason, reports = Asking, false // counted where it is detected
		} else {
			w.counted.add(&w.counted.unknown)
		}
	}
	w.scratch.Bad = ""
	if entry != nil {
		w.journal.add(entry, o)
	}
	if reports {
		w.fault(o, reason)
	}
}

// Undelivered reports a file that was rendered but not received by its client.
func (w *Worker) Undelivered(now int64, o *device.Outcome) {
	o.Time, o.Undelivered = now, true
	if entry := w.journal.next(now, true); entry != nil {
		w.journal.add(entry, o)
	}
	w.fault(o, skeleton.NumReasons)
}

// fault passes an outcome to Config.OnFault, unless the reason's limit for this second is reached.
func (w *Worker) fault(o *device.Outcome, reason skeleton.Reason) {
	if w.e.cfg.OnFault == nil || w.quiet {
		return
	}
	var ok bool
	if o.Suppressed, ok = w.faults[reason].take(o.Time); ok {
		w.e.cfg.OnFault(o)
	}
}

// allowance limits the reports of one kind per second.
type allowance struct {
	second     int64 // that reported counts
	reported   int
	suppressed uint64 // since the last report
}

// take reports whether one more report is allowed at the time now, and how many were suppressed before it.
func (a *allowance) take(now int64) (suppressed uint64, ok bool) {
	if s := now / 1e9; s != a.second {
		a.second, a.reported = s, 0
	}
	if a.reported >= MaxFaults {
		a.suppressed++
		return 0, false
	}
	a.reported++
	suppressed, a.suppressed = a.suppressed, 0
	return suppressed, true
}
