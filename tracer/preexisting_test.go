//go:build linux

package tracer_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// TestPreexisting: connections that were open before the trace are reported as such, with
// the process that holds them.
func TestPreexisting(t *testing.T) {
	requireRoot(t)
	for _, mode := range tracer.Modes() {
		t.Run(string(mode), func(t *testing.T) {
			listener, port, err := listenTCP()
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(listener)
			client, err := dialTCP([4]byte{}, port)
			if err != nil {
				t.Fatal(err)
			}
			server, _, err := unix.Accept(listener)
			if err != nil {
				t.Fatal(err)
			}
			local := localPort(client)
			tr := open(t, tracer.Options{Mode: mode})
			records := collect(t, tr, func() {
				unix.Close(client)
				unix.Close(server)
			})
			ends := 0
			for _, r := range records {
				n := r.Teardown.Network
				if r.Kind != model.KindTeardown || int(n.Local.Port) != local && int(n.Peer.Port) != local {
					continue
				}
				ends++
				p := r.Teardown.Process
				if !r.Teardown.TCP.Preexisting || r.Teardown.StartTime != 0 {
					t.Errorf("preexisting is %v, start %v, want true and none", r.Teardown.TCP.Preexisting, r.Teardown.StartTime)
				}
				if p.PID != os.Getpid() || p.Source != model.OwnerIterator {
					t.Errorf("owner is %d by %v, want %d by the iterator", p.PID, p.Source, os.Getpid())
				}
				if r.Teardown.Verdict != model.Graceful {
					t.Errorf("verdict is %v, want graceful", r.Teardown.Verdict)
				}
			}
			if ends != 2 {
				t.Errorf("%d ends, want 2", ends)
			}
		})
	}
}
