package agent

import (
	"net"
	"strings"
	"testing"
)

// TestMetricsPortIsTaken: any local user can take it first. Records must be sent all the
// same; an agent that has nothing else to do says so and ends.
func TestMetricsPortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	listen := taken.Addr().String()
	if a, err := New(t.Context(), Options{MetricsListen: listen}); err == nil {
		a.Close()
		t.Error("it serves metrics at a port that is taken")
	}
	var said strings.Builder
	a := newTest(t, Options{
		MetricsListen: listen, Endpoint: "http://127.0.0.1:1", Spool: t.TempDir(), SpoolSize: 1 << 20,
		Log: func(format string, args ...any) { said.WriteString(format) },
	})
	if a.MetricsAddress() != "" || !strings.Contains(said.String(), "without metrics") {
		t.Errorf("metrics at %q, said %q", a.MetricsAddress(), said.String())
	}
}
