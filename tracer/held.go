//go:build linux

package tracer

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/internal/procstat"
	"github.com/closetrace/closetrace/tracer/process"
)

// What our own listener has set, in seconds and ms: values that nobody else has.
const (
	ownLinger2     = 47
	ownUserTimeout = 47110
)

// findOpen finds the connections that were open before the trace, and who holds them.
func (t *Tracer) findOpen(env *environment, found learnt) (err error) {
	objects := t.loaded.objects
	if t.loaded.mode != Raw {
		err = runOnce(objects.Programs[once])
	} else if err = checkOwn(objects, env.types, found); err != nil {
		return err
	} else if !process.InNamespace() {
		err = findHeld(objects, env.cgroup, found.ahead)
	}
	if err != nil {
		return fmt.Errorf("find open connections: %w", err)
	}
	return nil
}

// checkOwn compares what the programs have read of our own listener and process with what
// they are: by the types of another kernel, the programs read something else.
func checkOwn(objects *ebpf.Collection, types *types, found learnt) error {
	if found.port == 0 {
		return nil // there was no listener
	}
	var own bpf.TraceEnd
	if err := objects.Variables["own"].Get(&own); err != nil {
		return fmt.Errorf("read what the programs see: %w", err)
	}
	self, tick := os.Getpid(), uint64(procstat.Tick)
	for _, c := range []struct {
		what      string
		got, want uint64
	}{
		{"port", uint64(own.LocalPort), uint64(found.port)},
		{"address family", uint64(own.Family), unix.AF_INET},
		{"network namespace", uint64(own.Netns), uint64(process.NetNS(self))},
		{"TCP_LINGER2", uint64(own.Linger2), uint64(ownLinger2 * found.hertz)},
		{"TCP_USER_TIMEOUT", uint64(own.UserTimeout), ownUserTimeout},
		{"process's start", uint64(int64(own.Owner.Start)-found.ahead.boottime) / tick, process.Started(self) / tick},
	} {
		if c.got != c.want {
			return wrong("%s has the types of another kernel than %s: by them the %s of closetrace itself is %d, and it is %d",
				cmp.Or(types.path, "BTF"), release(), c.what, c.got, c.want)
		}
	}
	return nil
}

// findHeld tells the programs which process holds which socket, and which listens where,
// as /proc shows it: in place of the iterator, which needs types in the kernel. What
// changes meanwhile is seen by the programs.
func findHeld(objects *ebpf.Collection, cgroup string, ahead timeNamespace) error {
	var (
		owners     = map[uint64]bpf.TraceOwner{}
		namespaces = map[uint32]int{} // a process in each
	)
	process.Holders(cgroup, func(h *process.Holder) {
		owner := bpf.TraceOwner{
			Tgid: uint32(h.PID), Uid: h.UID, Cgroup: h.Cgroup, Start: uint64(int64(h.Started) + ahead.boottime),
		}
		copy(owner.Comm[:len(owner.Comm)-1], h.Name)
		for _, inode := range h.Sockets {
			if _, known := owners[inode]; !known {
				owners[inode] = owner
			}
		}
		if netns := process.NetNS(h.PID); netns != 0 && namespaces[netns] == 0 {
			namespaces[netns] = h.PID
		}
	})
	if err := putAll(objects.Maps["held"], owners, ebpf.UpdateAny); err != nil {
		return err
	}
	listeners := map[bpf.TraceListenerKey]bpf.TraceListener{}
	for netns, pid := range namespaces {
		process.Listening(pid, func(local netip.AddrPort, inode uint64) {
			owner, known := owners[inode]
			if !known {
				return
			}
			key := listenerKey(netns, local)
			l := listeners[key]
			if l.Sockets++; l.Sockets == 1 {
				l.Owner = owner
			} else if l.Owner.Tgid != owner.Tgid {
				l.Strangers++
			}
			listeners[key] = l
		})
	}
	return putAll(objects.Maps["listeners"], listeners, ebpf.UpdateNoExist)
}

func listenerKey(netns uint32, local netip.AddrPort) bpf.TraceListenerKey {
	key := bpf.TraceListenerKey{Netns: netns, Port: local.Port(), Family: unix.AF_INET}
	if local.Addr().Is6() {
		key.Family = unix.AF_INET6
	}
	copy(key.Address[:], local.Addr().AsSlice())
	return key
}

// putAll leaves out what the programs have put there meanwhile, and what finds no room.
func putAll[K comparable, V any](m *ebpf.Map, all map[K]V, how ebpf.MapUpdateFlags) error {
	for key, value := range all {
		switch err := m.Update(&key, &value, how); {
		case err == nil, errors.Is(err, ebpf.ErrKeyExist):
		case errors.Is(err, unix.E2BIG):
			return nil
		default:
			return fmt.Errorf("write %v: %w", m, err)
		}
	}
	return nil
}
