package summary

import (
	"testing"

	"github.com/closetrace/closetrace/model"
)

// A Windows trace has the numbers of processes and not their names.
func TestProcessesWithoutANameHaveTheirNumber(t *testing.T) {
	for want, p := range map[string]model.Process{
		"pid 812": {PID: 812}, "nginx": {PID: 812, Name: "nginx"}, "": {},
	} {
		td := model.Teardown{Facts: model.Facts{Process: p}}
		if got := countedOf(&td).process; got != want {
			t.Errorf("%+v is %q, want %q", p, got, want)
		}
	}
}
