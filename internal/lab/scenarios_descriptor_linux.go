package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// descriptorScenarios: the last descriptor goes in another way than by close.
func descriptorScenarios() []Scenario {
	return []Scenario{
		{Name: "dup2", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			other := a.open(loopback4)
			a.closes()
			a.do(request{Op: "dup2", FD: other.fd, Args: []int{a.fd}})
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "close-range", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			a.closes()
			if o := a.start(request{Op: "close-range", FD: a.fd}).wait(); o.Errno == unix.ENOSYS {
				panic(skip("needs close_range (Linux 5.9)"))
			}
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "exec", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			a.closer = Party{PID: a.pid} // its name changes in the same call
			a.start(request{Op: "exec"})
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "dup-closed-later", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			a.do(request{Op: "dup2", FD: a.fd, Args: []int{100}})
			a.finish() // ends nothing: there is another descriptor
			b.send(5)
			a.fd = 100
			a.recv(5)
			a.close()
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "fork-shared", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			child := a.fork("lab-child", a)
			a.finish() // ends nothing: the child has it too
			b.send(5)
			child.recv(5)
			child.close()
			a.closer = child.closer
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "fork-shared-child-exits", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			child := a.fork("lab-child", a)
			child.actor.exit() // ends nothing
			b.send(5)
			a.recv(5)
			a.close()
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "fork-shared-parent-killed", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			child := a.fork("lab-child", a)
			a.actor.kill(unix.SIGKILL) // ends nothing
			b.send(5)
			child.recv(5)
			child.exit()
			a.closer = child.closer
			endClosed(s, a, b, finActive(model.CallExit))
		}},
		{Name: "accepted-in-parent-served-in-child", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			child := b.fork("lab-child", b)
			b.finish()
			a.send(10)
			child.holds(10)
			child.close() // unread data
			b.closer = child.closer
			endAborted(s, b, a, aborted(model.CauseUnreadData, model.CallClose).unread(10).forked(child, b))
		}},
		{Name: "fork-per-connection", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			child := b.fork("lab-child", b)
			b.finish()
			a.send(5)
			child.recv(5)
			child.send(3)
			a.recv(3)
			a.close()
			b.is(model.CloseWait)
			child.close()
			b.closer = child.closer
			s.end(a, finActive(model.CallClose))
			s.end(b, finPassive(model.CallClose).forked(child, b))
		}},
		{Name: "fork-per-connection-reset", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			child := b.fork("lab-child", b)
			b.finish()
			child.send(5)
			a.holds(5)
			a.close() // unread data
			child.recvError(unix.ECONNRESET)
			s.end(a, aborted(model.CauseUnreadData, model.CallClose).unread(5))
			truth := peerReset().forked(child, b)
			truth.Owner.Name = "" // of the fork, or of the close if that is seen in time
			s.end(b, truth)
			child.finish()
		}},
		{Name: "forked-at-once-served-in-parent", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			child := b.fork("lab-child", b)
			child.actor.exit() // ends nothing
			a.send(5)
			b.recv(5)
			b.close()
			endClosed(s, b, a, finActive(model.CallClose))
		}},
		{Name: "forked-later-outlived-by-child", Group: "descriptor", run: func(s *stage) {
			// a server that saves its data in a child, which has all its descriptors
			a, b := s.pair()
			a.send(5)
			b.recv(5)
			child := b.fork("lab-child", b)
			b.finish() // ends nothing
			child.exit()
			b.closer = child.closer
			endClosed(s, b, a, finActive(model.CallExit))
		}},
		{Name: "descriptor-passed", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			a.do(request{Op: "send-descriptor", FD: a.fd})
			a.finish() // ends nothing: one is in flight
			other := *a
			other.actor = s.cast("lab-c")
			other.fd = other.do(request{Op: "receive-descriptor"}).Ret
			b.send(5)
			other.recv(5)
			other.close()
			a.closer = other.closer
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "descriptor-lost-in-flight", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			a.closes()
			a.do(request{Op: "strand", FD: a.fd})
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "descriptor-garbage-collected", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			a.do(request{Op: "strand-cycle", FD: a.fd})
			truth := finActive(model.CallClose) // by a kernel thread from 6.1 on
			b.is(model.CloseWait)
			b.close()
			s.end(a, truth)
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "thread-blocked-in-recv", Group: "descriptor", run: func(s *stage) {
			// close() returns at once; the reader's system call holds the file
			// and closes the connection when it ends.
			a, b := s.pair()
			reader := *a
			reader.actor = a.numbered(1)
			reader.name()
			reading := reader.start(request{Op: "recv", FD: a.fd, Args: []int{5}})
			reader.blocked(unix.SYS_READ)
			a.finish()
			b.send(5)
			if o := reading.wait(); o.Ret != 5 {
				s.fail("reader got %d bytes, want 5", o.Ret)
			}
			a.closer = reader.party()
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "io-uring-close", Group: "descriptor", Needs: []Feature{IOURing}, run: func(s *stage) {
			a, b := s.pair()
			a.closes()
			a.do(request{Op: "io-uring-close", FD: a.fd})
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "segfault", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			a.closes()
			a.start(request{Op: "fault"})
			a.reap()
			endClosed(s, a, b, finActive(model.CallExit).signalled(11))
		}},
		{Name: "kill-15", Group: "descriptor", run: func(s *stage) {
			a, b := s.pair()
			a.kill(unix.SIGTERM)
			endClosed(s, a, b, finActive(model.CallExit).signalled(15))
		}},
	}
}

// endClosed: b follows a, whose close must have been begun.
func endClosed(s *stage, a, b *sock, truth Truth) {
	b.is(model.CloseWait)
	b.close()
	s.end(a, truth)
	s.end(b, finPassive(model.CallClose))
}
