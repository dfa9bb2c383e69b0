//go:build linux

package tracer

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// TestOnCloseIsTheKernelsTable compares the programs' table with the condition of
// __tcp_close() (Linux 6.18, net/ipv4/tcp.c), written out: data unread, TCP_REPAIR,
// SO_LINGER {1,0} and, in FIN_WAIT2, TCP_LINGER2 < 0 end the connection; SO_LINGER waits
// until FIN_WAIT2, but not while connecting.
func TestOnCloseIsTheKernelsTable(t *testing.T) {
	for i, got := range onClose() {
		state, m := model.State(i/closeMarks), model.CloseMarks(i%closeMarks)
		if state < model.Established || state > model.Closing || state == model.Closed || state == model.Listen || state == model.TimeWait {
			continue // there is no such close(), or the programs do not ask
		}
		has := func(mark model.CloseMarks) bool { return m&mark != 0 }
		aborts := has(model.CloseUnread) || has(model.CloseRepair) || has(model.CloseLingerZero) ||
			state == model.FinWait2 && has(model.CloseNoFINWait) || state == model.SynSent
		waits := has(model.CloseLingers) && state != model.FinWait2 && state != model.SynSent && !aborts
		want := uint8(0)
		if aborts {
			want = closeAborts
		} else if waits {
			want = closeWaits
		}
		if got != want {
			t.Errorf("%v, marks %05b: got %d, want %d", state, m, got, want)
		}
	}
}

func TestCloseMarksAreTheProgramsOwn(t *testing.T) {
	text, err := os.ReadFile("../bpf/record.h")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]int{
		"REPAIR": int(model.CloseRepair), "UNREAD": int(model.CloseUnread), "LINGER_ZERO": int(model.CloseLingerZero),
		"LINGERS": int(model.CloseLingers), "NO_FIN_WAIT": int(model.CloseNoFINWait), "MARKS": closeMarks,
	} {
		m := regexp.MustCompile(`CLOSE_` + name + ` = 1 << (\d+),`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("no CLOSE_%s in record.h", name)
		}
		if shift, _ := strconv.Atoi(string(m[1])); 1<<shift != value {
			t.Errorf("CLOSE_%s is 1 << %d there, %d here", name, shift, value)
		}
	}
	if order := regexp.MustCompile(`CLOSE_PASSES,[^}]*CLOSE_ABORTS,[^}]*CLOSE_WAITS,`); !order.Match(text) {
		t.Error("the effects are not 0, 1 and 2")
	}
}

// TestMisspeltVariable: a filter that the programs do not have must not be ignored.
func TestMisspeltVariable(t *testing.T) {
	spec, err := bpf.LoadTrace()
	if err != nil {
		t.Fatal(err)
	}
	if err := configure(spec, map[string]any{"filter_prot": uint32(1)}); err == nil || !strings.Contains(err.Error(), "filter_prot") {
		t.Errorf("got %v, want an error that names it", err)
	}
	if err := configure(spec, map[string]any{"filter_port": uint32(1)}); err != nil {
		t.Error(err)
	}
}
