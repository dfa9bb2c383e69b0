package lab

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// stage is where a scenario is played: a network namespace with its actors
// and witnesses. Its methods end the scenario when something fails, as
// testing.T's Fatal does, so that a script shows the plot and nothing else.
type stage struct {
	result   *Result
	patience time.Duration // for one thing to happen
	mail     [2]*os.File
	actors   []*actor
	diag     *diag // nil: ask /proc
	capture  *capture
	dump     *tcpdump // or nil
	before   map[string]uint64
	observe  Observer // or nil
	observed map[[2]netip.AddrPort]string
	atEnd    []func()
}

// failure ends a scenario; skip does so because the machine lacks a feature.
type (
	failure string
	skip    string
)

func (s *stage) fail(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

func (s *stage) check(what string, err error) {
	if err != nil {
		s.fail("%s: %v", what, err)
	}
}

// play runs the scenario in the calling process, which has its namespace.
func play(sc *Scenario, result *Result, observe Observer) {
	s := &stage{result: result, patience: time.Minute, observe: observe, observed: map[[2]netip.AddrPort]string{}}
	defer s.close()
	defer func() {
		switch reason := recover().(type) {
		case nil:
		case failure:
			result.Error = string(reason)
		case skip:
			result.Skipped = string(reason)
		default:
			panic(reason)
		}
		result.Stop = time.Now()
	}()
	s.open(sc)
	sc.run(s)
	s.settle()
	s.takeWitness()
}

func (s *stage) open(sc *Scenario) {
	s.check("bring lo up", loopback(true))
	s.result.Start = time.Now()
	info, err := os.Stat("/proc/self/ns/net")
	s.check("find namespace", err)
	s.result.NetNS = inode(info)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	s.check("make mailbox", err)
	for i, fd := range pair {
		s.mail[i] = os.NewFile(uintptr(fd), "mail")
	}
	for _, need := range sc.Needs {
		if err := probe(need); err != nil {
			panic(skip(fmt.Sprintf("needs %s: %v", need, err)))
		}
	}
	if probeFind() == nil {
		s.diag, err = openDiag()
		s.check("open diag", err)
	}
	s.capture, err = openCapture()
	s.check("open capture", err)
	s.openTcpdump(sc.Name)
	s.before, err = readCounters()
	s.check("read counters", err)
}

// settle waits until every connection has ended.
func (s *stage) settle() {
	s.eventually("all connections to end", func() (bool, string) {
		rows, err := listSockets()
		s.check("settle", err)
		rows = slices.DeleteFunc(rows, func(r socketRow) bool {
			return r.state == model.Listen || r.state == model.TimeWait
		})
		return len(rows) == 0, fmt.Sprint(rows)
	})
}

func (s *stage) takeWitness() {
	after, err := readCounters()
	s.check("read counters", err)
	s.result.Counters = difference(s.before, after)
	s.result.Packets, err = s.capture.drain()
	s.check("read capture", err)
	s.fillFromWire()
	s.takeDump()
}

// fillFromWire notes for each end whether it sent a FIN, where the script does
// not know: a FIN behind data that is lost already has to wait for the
// congestion window, so it depends on how soon the close followed.
func (s *stage) fillFromWire() {
	for i := range s.result.Ends {
		e := &s.result.Ends[i]
		truth := &e.Truth
		if truth.Outcome != nil {
			truth = truth.Outcome
		}
		if truth.FIN.Sent.Known() || !truth.FIN.Received.Known() {
			continue
		}
		sent := slices.ContainsFunc(s.result.Packets, func(p Packet) bool {
			return p.FIN && !p.Forged && p.From == e.Local && p.To == e.Peer
		})
		truth.FIN.Sent = model.Some(sent)
		if !sent && e.Truth.Initiator == model.InitiatorLocal && !truth.RST.Sent.Or(false) {
			e.Truth.Initiator, truth.Initiator = model.InitiatorUnknown, model.InitiatorUnknown
		}
	}
}

func (s *stage) close() {
	for _, a := range s.actors {
		a.dismiss()
	}
	for _, do := range s.atEnd {
		do()
	}
	for _, file := range s.mail {
		if file != nil {
			_ = file.Close()
		}
	}
	if s.diag != nil {
		s.diag.close()
	}
	s.dump.close()
	if s.capture != nil {
		s.capture.close()
	}
}

// eventually waits for a condition. The kernel has no event for most of what
// is waited for here, so it looks again every millisecond.
func (s *stage) eventually(what string, condition func() (done bool, now string)) {
	deadline := time.Now().Add(s.patience)
	for {
		done, now := condition()
		if done {
			return
		}
		if time.Now().After(deadline) {
			s.fail("waited %v for %s: %s", s.patience, what, now)
		}
		time.Sleep(time.Millisecond)
	}
}

// a, b and admin are the usual cast: two ends and someone who interferes.
func (s *stage) a() *actor     { return s.cast("lab-a") }
func (s *stage) b() *actor     { return s.cast("lab-b") }
func (s *stage) admin() *actor { return s.cast("lab-admin") }

// cast returns the actor of that name and starts it when first asked for.
func (s *stage) cast(name string) *actor {
	for _, a := range s.actors {
		if a.name == name {
			return a
		}
	}
	return s.spawn(name)
}

// sysctl writes a setting of the namespace: ipv4/tcp_retries2.
func (s *stage) sysctl(name, value string) {
	s.check("set sysctl", os.WriteFile("/proc/sys/net/"+name, []byte(value), 0))
}

// end notes the truth about a connection end. What the script did with the
// socket fills in who owned and closed it.
func (s *stage) end(k *sock, truth Truth) *End {
	if truth.Owner == (Party{}) {
		truth.Owner = k.owner
	}
	if truth.Call != model.CallUnknown && truth.Closer == (Party{}) {
		truth.Closer = k.closer
	}
	if truth.Role == model.RoleUnknown {
		truth.Role = k.role
	}
	s.result.Ends = append(s.result.Ends, End{
		Label: k.label, Local: unmap(k.local), Peer: unmap(k.peer), Truth: truth, Deaf: k.deafened,
		Observed: s.observed[[2]netip.AddrPort{unmap(k.local), unmap(k.peer)}],
	})
	return &s.result.Ends[len(s.result.Ends)-1]
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// look asks the observer about a socket that is about to be closed, or about
// all that wait in its queue if it listens.
func (s *stage) look(k *sock) {
	if s.observe == nil {
		return
	}
	local, peer := unmap(k.local), unmap(k.peer)
	if peer.IsValid() {
		s.observed[[2]netip.AddrPort{local, peer}] = s.observe(local, peer)
		return
	}
	rows, err := listSockets()
	s.check("look before a close", err)
	for _, r := range rows {
		if r.local == local && r.state != model.Listen {
			s.observed[[2]netip.AddrPort{local, r.peer}] = s.observe(local, r.peer)
		}
	}
}
