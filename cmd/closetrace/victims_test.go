package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/sockets"
)

// TestDryRunOfTerminate: --dry-run says what the real run would refuse.
func TestDryRunOfTerminate(t *testing.T) {
	held := func(pids ...int) (list []sockets.Conn) {
		for _, pid := range pids {
			c := sockets.Conn{ID: "1-1"}
			c.Process.PID = pid
			list = append(list, c)
		}
		return list
	}
	flags := &killFlags{terminate: true, dryRun: true, max: 1}
	for want, chosen := range map[string][]sockets.Conn{
		"": held(7, 7, 7),
		"without --dry-run this is refused: 2 processes have what matches (7, 8)": held(7, 8, 7),
		"without --dry-run this is refused: no process is known":                  held(0),
	} {
		p := planOf(chosen, true)
		p.refused = flags.refusal(p)
		var out bytes.Buffer
		if err := (&app{stdout: &out}).printPlan(p, true); err != nil {
			t.Fatal(err)
		}
		if text := out.String(); !strings.Contains(text, want) || strings.Contains(text, "refused") != (want != "") {
			t.Errorf("got\n%swant %q", text, want)
		}
	}
}
