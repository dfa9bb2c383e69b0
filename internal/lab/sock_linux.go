package lab

import (
	"fmt"
	"net/netip"

	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// sock is a socket in an actor's hands. Its methods are system calls that
// must succeed, unless they say otherwise.
type sock struct {
	*actor
	fd          int // -1: never accepted
	family      netip.Addr
	label       string
	local, peer netip.AddrPort
	role        model.Role
	owner       Party
	closer      Party
	deafened    bool
}

func (a *actor) party() Party { return Party{PID: a.pid, Name: a.name} }

// open makes a TCP socket for the family of address.
func (a *actor) open(address netip.Addr) *sock { return a.openProtocol(address, unix.IPPROTO_TCP) }

func (a *actor) openProtocol(address netip.Addr, protocol int) *sock {
	family := unix.AF_INET6
	if address.Is4() {
		family = unix.AF_INET
	}
	p := a.do(request{Op: "socket", Args: []int{family, protocol}})
	return &sock{actor: a, fd: p.Ret, family: address, label: a.name[len("lab-"):], owner: a.party()}
}

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.MustParseAddr("::1")
	mapped4   = netip.MustParseAddr("::ffff:127.0.0.1")
	nobody    = netip.MustParseAddrPort("127.0.0.1:9")
	anyPort   = netip.AddrPortFrom(loopback4, 0)
)

// listen returns a listener at a port of the kernel's choice.
func (a *actor) listen(address netip.Addr) *sock {
	l := a.open(address)
	l.bind(netip.AddrPortFrom(address, 0))
	l.do(request{Op: "listen", FD: l.fd, Args: []int{16}})
	return l
}

func (k *sock) bind(address netip.AddrPort) {
	k.do(request{Op: "bind", FD: k.fd, Addr: address})
	k.local = k.name()
}

func (k *sock) name() netip.AddrPort { return k.do(request{Op: "name", FD: k.fd}).Addr }

// connect connects to the listener.
func (k *sock) connect(l *sock) {
	address := l.local
	switch {
	case k.family.Is4():
		address = unmap(address)
	case address.Addr().Is4():
		address = netip.AddrPortFrom(netip.AddrFrom16(address.Addr().As16()), address.Port())
	}
	k.do(request{Op: "connect", FD: k.fd, Addr: address})
	k.local, k.peer, k.role = k.name(), address, model.Active
}

// prepare gives the socket a port, so that its tuple is known whatever
// becomes of connect.
func (k *sock) prepare(l *sock) {
	k.bind(netip.AddrPortFrom(k.family, 0))
	k.peer, k.role = l.local, model.Active
}

// startConnect begins to connect to the listener and does not wait for it.
func (k *sock) startConnect(l *sock) {
	k.prepare(l)
	k.nonblock()
	k.mustFail(unix.EINPROGRESS, request{Op: "connect", FD: k.fd, Addr: l.local})
}

// child returns the connection in l's queue that nobody has accepted.
func (l *sock) child(from *sock) *sock {
	return &sock{
		actor: l.actor, fd: -1, label: l.label, role: model.Passive,
		local: from.peer, peer: from.local,
	}
}

// accept returns the connection that from is the other end of.
func (l *sock) accept(from *sock) *sock {
	k := l.child(from)
	k.fd, k.owner = l.do(request{Op: "accept", FD: l.fd}).Ret, l.party()
	return k
}

// pair returns a connection from actor a to actor b.
func (s *stage) pair() (a, b *sock) { return s.pairAt(loopback4, loopback4) }

func (s *stage) pairAt(from, to netip.Addr) (a, b *sock) {
	l := s.b().listen(to)
	a = s.a().open(from)
	a.connect(l)
	return a, l.accept(a)
}

func (k *sock) set(level, option, value int) {
	k.do(request{Op: "set", FD: k.fd, Args: []int{level, option, value}})
}

// linger sets SO_LINGER {1, seconds}.
func (k *sock) linger(seconds int) {
	k.do(request{Op: "linger", FD: k.fd, Args: []int{1, seconds}})
}

// deaf drops every segment that comes to the socket, before TCP sees it.
func (k *sock) deaf() { k.filter(unix.BPF_RET, 0, 0, 0) }

func (k *sock) filter(words ...int) {
	k.do(request{Op: "filter", FD: k.fd, Args: words})
	k.deafened = true
}

// hear ends deaf.
func (k *sock) hear() {
	k.set(unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
	k.deafened = false
}

func (k *sock) nonblock() { k.do(request{Op: "nonblock", FD: k.fd}) }

// fill sends until nothing more fits into the send buffer.
func (k *sock) fill() uint64 { return uint64(k.do(request{Op: "fill", FD: k.fd}).Ret) }

func (k *sock) send(n int) {
	if p := k.do(request{Op: "send", FD: k.fd, Args: []int{n}}); p.Ret != n {
		k.stage.fail("%s: sent %d of %d bytes", k.actor.name, p.Ret, n)
	}
}

// recv reads n bytes.
func (k *sock) recv(n int) {
	if p := k.do(request{Op: "recv", FD: k.fd, Args: []int{n}}); p.Ret != n {
		k.stage.fail("%s: received %d of %d bytes", k.actor.name, p.Ret, n)
	}
}

// recvError reads and expects an error.
func (k *sock) recvError(want unix.Errno) {
	k.mustFail(want, request{Op: "recv", FD: k.fd, Args: []int{1}})
}

func (k *sock) mustFail(want unix.Errno, r request) {
	if o := k.start(r).wait(); o.err != nil || o.Errno != want {
		k.stage.fail("%s: %s: got %v %v, want %v", k.actor.name, r.Op, o.Errno, o.err, want)
	}
}

// eof reads the end of the stream.
func (k *sock) eof() {
	if p := k.do(request{Op: "recv", FD: k.fd, Args: []int{1}}); p.Ret != 0 {
		k.stage.fail("%s: received %d bytes, want end of stream", k.actor.name, p.Ret)
	}
}

func (k *sock) shutdown(how int) {
	k.closer = k.party()
	k.do(request{Op: "shutdown", FD: k.fd, Args: []int{how}})
}

// halfClose sends a FIN and waits until both ends have digested it: its ACK
// may be delayed by 40 ms.
func (k *sock) halfClose(other *sock) {
	k.shutdown(unix.SHUT_WR)
	other.is(model.CloseWait)
	k.is(model.FinWait2)
}

// close closes the descriptor and returns how long that took.
func (k *sock) close() reply {
	o := k.startClose().wait()
	if o.err != nil || o.Errno != 0 {
		k.stage.fail("%s: close: %v %v", k.actor.name, o.Errno, o.err)
	}
	return o.reply
}

func (k *sock) startClose() *pending {
	k.closes()
	return k.start(request{Op: "close", FD: k.fd})
}

// closes notes who is about to close the socket.
func (k *sock) closes() {
	k.closer = k.party()
	k.stage.look(k)
}

// closeForMinisock closes, so that a minisock in FIN_WAIT2 is all that remains.
// If the ACK of the FIN came while close() owns the socket, the whole socket
// would stay, with a timer (tcp_rcv_state_process): other is deaf until then, and
// hears the FIN that is sent again.
func (k *sock) closeForMinisock(other *sock) {
	other.deaf()
	k.close()
	other.hear()
	k.over()
}

// finish closes a descriptor whose connection has ended before: the closer
// stays who it was.
func (k *sock) finish() { k.do(request{Op: "close", FD: k.fd}) }

// exit ends the process that holds the socket.
func (k *sock) exit() {
	k.closes()
	k.actor.exit()
}

func (k *sock) kill(signal unix.Signal) {
	k.closes()
	k.actor.kill(signal)
}

func (k *sock) disconnect() {
	k.closer = k.party()
	k.do(request{Op: "disconnect", FD: k.fd})
}

// destroy lets the administrator end the connection.
func (k *sock) destroy() {
	k.closer = k.stage.admin().party()
	if errno := k.tryDestroy(); errno != 0 {
		k.stage.fail("destroy %s: %v", k.label, errno)
	}
}

// tryDestroy may fail, and need not end anything.
func (k *sock) tryDestroy() unix.Errno {
	return k.stage.admin().start(request{
		Op: "destroy", Addr: unmap(k.local), Text: unmap(k.peer).String(), Args: []int{unix.IPPROTO_TCP},
	}).wait().Errno
}

// vanish ends an end without a word to the other: TCP_REPAIR mode and close.
func (k *sock) vanish() {
	k.set(unix.SOL_TCP, unix.TCP_REPAIR, 1)
	k.close()
}

// endVanished lets an end vanish and notes the truth about it.
func (k *sock) endVanished(truth Truth) *End {
	k.vanish()
	return k.stage.end(k, truth)
}

// row returns the kernel's view of the connection end; Closed if it has none.
func (k *sock) row() socketRow {
	if d := k.stage.diag; d != nil {
		row, err := d.find(unmap(k.local), unmap(k.peer))
		if err == nil && row.state == model.Closed {
			// The kernel looks without a lock: it may find neither a socket nor the
			// TIME_WAIT that just took its place (inet_twsk_hashdance), which it finds now.
			row, err = d.find(unmap(k.local), unmap(k.peer))
		}
		k.stage.check("look at "+k.label, err)
		return row
	}
	rows, err := listSockets()
	k.stage.check("look at "+k.label, err)
	for _, r := range rows {
		if r.local == unmap(k.local) && r.peer == unmap(k.peer) {
			return r
		}
	}
	return socketRow{state: model.Closed}
}

func (k *sock) wait(what string, condition func(socketRow) bool) {
	k.stage.eventually(k.label+" "+what, func() (bool, string) {
		r := k.row()
		return condition(r), fmt.Sprintf("%v, %d unacked, %d unread", r.state, r.unacked, r.unread)
	})
}

// is waits until the connection end is in the state.
func (k *sock) is(want model.State) {
	k.wait("to be "+want.String(), func(r socketRow) bool { return r.state == want })
}

// over waits until the connection end is gone; a TIME_WAIT may remain.
func (k *sock) over() {
	k.wait("to end", func(r socketRow) bool { return r.state == model.Closed || r.state == model.TimeWait })
}

// holds waits until n bytes wait to be read.
func (k *sock) holds(n uint64) {
	k.wait(fmt.Sprintf("to hold %d bytes", n), func(r socketRow) bool { return r.unread == n })
}
