//go:build linux

package tracer

import (
	"net/netip"
	"os"
	"reflect"
	"testing"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// TestHoldersAreDecoded: each field has its own value; only our marked socket, with
// SO_LINGER {1,100}, is left out, not the same descriptor number in another process.
func TestHoldersAreDecoded(t *testing.T) {
	self := uint32(os.Getpid())
	raw := []bpf.SocketsHolding{
		{
			Tgid: self + 1, Descriptor: 9, Inode: 11, Uid: 33, Start: 600, Cgroup: 70, Repair: 1, Comm: comm("nginx"), Tcp: 1, Linger: 1, Lingertime: 1250, Linger2: 500,
			State: 8, Family: 10, LocalPort: 80, PeerPort: 0xbb01, Netns: 77, Receive: 5, Send: 6, Unsent: 4, Retransmits: 3, Cookie: 99,
			Local: [16]byte{0x20, 1, 15: 1}, Peer: [16]byte{10: 0xff, 0xff, 10, 0, 0, 9},
		},
		{Tgid: self, Descriptor: 9, Inode: 12, Tcp: 1, Linger: 1, Lingertime: markSeconds * 250},
		{Tgid: self, Descriptor: 8, Inode: 13, Mptcp: 1, Comm: comm("nginx")},
	}
	nginx := Holder{
		Inode: 11, PID: int(self) + 1, Descriptor: 9, Name: "nginx", UID: 33, Started: 600, Cgroup: 70, Repair: true,
		Linger: model.Linger{On: model.Some(true), Seconds: model.Some(5)}, Linger2: model.Some(2),
		Connection: &HeldConnection{
			Network: model.Network{
				Local: model.Endpoint{Address: netip.MustParseAddr("2001::1"), Port: 80},
				Peer:  model.Endpoint{Address: netip.MustParseAddr("10.0.0.9"), Port: 443}, NetNS: 77,
			},
			State: model.CloseWait, Cookie: 99, Receive: 5, Send: 6, Unsent: 4, Retransmits: 3,
		},
	}
	own := Holder{Inode: 13, PID: int(self), Descriptor: 8, Name: "nginx", MPTCP: true}
	if got, want := (&Holders{marked: 9}).decode(raw), []Holder{nginx, own}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
