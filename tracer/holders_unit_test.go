//go:build linux

package tracer

import (
	"os"
	"reflect"
	"testing"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// TestHoldersAreDecoded: every field of its own; only our marked socket, of SO_LINGER
// {1,100}, is left out, not its number in another process.
func TestHoldersAreDecoded(t *testing.T) {
	self := uint32(os.Getpid())
	raw := []bpf.SocketsHolding{
		{Tgid: self + 1, Descriptor: 9, Inode: 11, Uid: 33, Start: 600, Cgroup: 70, Repair: 1, Comm: comm("nginx"), Tcp: 1, Linger: 1, Lingertime: 1250, Linger2: 500},
		{Tgid: self, Descriptor: 9, Inode: 12, Tcp: 1, Linger: 1, Lingertime: markSeconds * 250},
		{Tgid: self, Descriptor: 8, Inode: 13, Mptcp: 1, Comm: comm("nginx")},
	}
	nginx := Holder{
		Inode: 11, PID: int(self) + 1, Descriptor: 9, Name: "nginx", UID: 33, Started: 600, Cgroup: 70, Repair: true,
		Linger: model.Linger{On: model.Some(true), Seconds: model.Some(5)}, Linger2: model.Some(2),
	}
	own := Holder{Inode: 13, PID: int(self), Descriptor: 8, Name: "nginx", MPTCP: true}
	if got, want := (&Holders{marked: 9}).decode(raw), []Holder{nginx, own}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
