package sockets

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// TestElsewhere: what descriptors show of another network namespace is what inet_diag
// says there, for sockets in all states that a process holds.
func TestElsewhere(t *testing.T) {
	needRoot(t)
	read := iterated(t)
	if read == nil {
		t.Skip("needs BPF iterators")
	}
	inNamespace(t, func() {
		defer manyConnections(t, 60)()
		var stat unix.Stat_t
		must(t, unix.Stat("/proc/thread-self/ns/net", &stat))
		netns := uint32(stat.Ino)
		all, err := List(t.Context(), Options{Held: read})
		must(t, err)
		asked, seen := inNetNS(all, netns), map[uint32]Conn{}
		done := make(chan error)
		go func() { // in the test's own namespace: this thread is locked
			descriptors, err := List(t.Context(), Options{Elsewhere: true, Held: read})
			seen = inNetNS(descriptors, netns)
			done <- err
		}()
		must(t, <-done)
		all, err = List(t.Context(), Options{Held: read})
		must(t, err)
		after := inNetNS(all, netns)
		states := map[model.State]int{}
		for inode, want := range asked {
			c, ok := seen[inode]
			if now := after[inode]; now.State != want.State || now.Queue != want.Queue {
				continue // it went on meanwhile
			}
			states[want.State]++
			switch {
			case !ok:
				t.Errorf("%v %v %v is not seen", want.State, want.Network.Local, want.Network.Peer)
			case c.ID != want.ID || c.State != want.State || c.Network != want.Network || c.OnClose != want.OnClose ||
				c.TCP.Bytes.Unread != want.TCP.Bytes.Unread || c.TCP.Bytes.Unacked != want.TCP.Bytes.Unacked || c.Process.PID != want.Process.PID:
				t.Errorf("seen %+v\nwant %+v", c, want)
			}
		}
		if len(seen) != len(asked) || len(states) < 5 {
			t.Errorf("%d are seen of %d, in states %v", len(seen), len(asked), states)
		}
	})
}

// inNetNS returns the sockets of a namespace that are held, by inode.
func inNetNS(all []Conn, netns uint32) map[uint32]Conn {
	held := map[uint32]Conn{}
	for _, c := range all {
		if c.Network.NetNS == netns && c.Socket.Inode != 0 && len(c.Holders) > 0 {
			held[c.Socket.Inode] = c
		}
	}
	return held
}
