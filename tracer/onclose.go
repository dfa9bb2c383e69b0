//go:build linux

package tracer

import "github.com/closetrace/closetrace/model"

// The values of enum close_effect in bpf/record.h, and the number of marks there.
const (
	closeAborts = 1
	closeWaits  = 2
	closeMarks  = 1 << 5
)

// onClose is what the programs need of [model.OnClose], by state and marks.
func onClose() (table [16 * closeMarks]uint8) {
	for i := range table {
		switch does, _ := model.OnClose(model.State(i/closeMarks), model.CloseMarks(i%closeMarks)); {
		case does.Aborts():
			table[i] = closeAborts
		case does.Waits():
			table[i] = closeWaits
		}
	}
	return table
}
