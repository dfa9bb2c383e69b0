package etwsrc

import (
	"testing"

	"github.com/closetrace/closetrace/model"
)

func TestOnlyWhatFollowsTheExitIsClosedByIt(t *testing.T) {
	exited := model.Time(1000 * sec)
	for _, tt := range []struct {
		name string
		at   model.Time
		call model.Call
		want bool
	}{
		{"aborted after the exit", exited + 1, model.CallUnknown, true},
		{"aborted before the exit", exited - model.Time(sec), model.CallUnknown, false},
		{"aborted long after the exit", exited + model.Time(60*sec), model.CallUnknown, false},
		{"closed by a call", exited + 1, model.CallClose, false},
	} {
		f := model.Facts{Time: tt.at, Closer: model.Closer{Call: tt.call}}
		f.Process.PID = 812
		f.Evidence.Announced.Add(model.ObservedAbort)
		closedByExit(&f, exited)
		if f.Evidence.ProcessGone != tt.want || (f.Closer.Call == model.CallExit) != tt.want {
			t.Errorf("%s: gone %v, closer %+v; want %v", tt.name, f.Evidence.ProcessGone, f.Closer, tt.want)
		}
	}
}
