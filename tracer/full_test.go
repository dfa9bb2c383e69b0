//go:build linux

package tracer

import (
	"context"
	"net"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestTableFull: more connections are open than can be followed. Each end is still
// reported once; those that found no place are not called certain, and the loss is
// reported.
func TestTableFull(t *testing.T) {
	if missing := missingCapabilities(); len(missing) > 0 {
		t.Skip(&PrivilegeError{missing})
	}
	const followed, opened = 16, 100
	tr, err := Open(Options{MaxConnections: followed})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var all []both
	for range opened {
		all = append(all, connected(t, l))
	}
	for _, c := range all {
		c.close()
	}
	told := map[model.Network]int{}
	certain, lost := 0, uint64(0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what is in the ring is enough
	for r, err := range model.Judged(tr.Events(ctx)) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case r.Kind == model.KindLoss && r.Loss.Where == "connection-table":
			lost += r.Loss.Count
		case r.Kind == model.KindTeardown:
			told[r.Teardown.Network]++
			if r.Teardown.Confidence == model.Certain {
				certain++
			}
		}
	}
	for _, c := range all {
		for _, side := range []net.Conn{c.client, c.server} {
			local, peer := side.LocalAddr().(*net.TCPAddr).AddrPort(), side.RemoteAddr().(*net.TCPAddr).AddrPort()
			found := 0
			for n, times := range told {
				if n.Local.AddrPort() == local && n.Peer.AddrPort() == peer {
					found += times
				}
			}
			if found != 1 {
				t.Errorf("the end of %v to %v is told %d times, want once", local, peer, found)
			}
		}
	}
	if certain > followed {
		t.Errorf("%d ends are certain, and %d connections were followed", certain, followed)
	}
	if lost < 2*opened-followed {
		t.Errorf("%d are told as lost by the table, want at least the %d ends that found no place", lost, 2*opened-followed)
	}
}
