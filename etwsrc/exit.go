package etwsrc

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// closedByExit reports the sockets that Windows closed because their process had
// exited: this end was closed here, by no call that was seen, and the process
// was gone just before. A socket that ends long after is another process's,
// which it was given to. The time is the session's.
func closedByExit(f *model.Facts, exited model.Time) {
	const (
		clocks  = time.Millisecond // the two are not read at the same time
		rundown = time.Second      // closing what a process has open
	)
	at := f.Time
	switch {
	case f.Closer.Call != model.CallUnknown:
		return
	case f.Evidence.Announced.Has(model.ObservedAbort):
	case f.TCP.Path.Has(model.FinWait1) && f.Evidence.FirstFIN != 0:
		at = f.Evidence.FirstFIN
	default:
		return
	}
	if after := at.Sub(exited); after < -clocks || after > rundown {
		return
	}
	f.Evidence.ProcessGone = true
	f.Closer = model.Closer{PID: f.Process.PID, Call: model.CallExit}
}
