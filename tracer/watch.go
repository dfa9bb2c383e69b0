//go:build linux

package tracer

import (
	"bytes"
	"fmt"
	"os"

	"github.com/cilium/ebpf/link"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// watched is a program that other processes may detach: that is possible for links to
// control groups only (bpf_link_ops.detach), not for those to tracepoints and functions.
type watched struct {
	program string
	info    *os.File // what /proc shows of the link, without a capability
	again   func() (link.Link, error)
	gone    bool
}

// watch returns what watches l, or nil if l cannot be detached.
func watch(program string, l link.Link, again func() (link.Link, error)) *watched {
	descriptor, ok := l.(interface{ FD() int })
	if !ok {
		return nil
	}
	info, err := os.Open(fmt.Sprintf("/proc/self/fdinfo/%d", descriptor.FD()))
	if err != nil {
		return nil
	}
	w := &watched{program: program, info: info, again: again}
	if text, err := w.text(); err != nil || !bytes.Contains(text, []byte("cgroup_id:")) {
		_ = info.Close()
		return nil
	}
	return w
}

func (w *watched) text() ([]byte, error) {
	b := make([]byte, 512)
	n, err := w.info.ReadAt(b, 0)
	if n > 0 {
		err = nil
	}
	return b[:n], err
}

// detached: bpf_cgroup_link_show_fdinfo() shows group 0 then.
func (w *watched) detached() bool {
	text, err := w.text()
	return err == nil && bytes.Contains(text, []byte("cgroup_id:\t0\n"))
}

// blind is the time in which a program was not attached.
type blind struct{ from, until ktime } // until 0: still

// hid reports whether something of how a connection ended may not have been seen. A
// close() that was missed is known by its FIN.
func (b *blind) hid(e *bpf.TraceEnd) bool {
	if b.from == 0 || ktime(e.Ended) <= b.from {
		return false
	}
	began := e.Ended
	for _, at := range []uint64{e.CloseBegan, e.FirstFin} {
		if at != 0 {
			began = min(began, at)
		}
	}
	return b.until == 0 || ktime(began) < b.until
}

// watches looks after what can be detached.
type watches struct {
	all []*watched
	at  ktime
}

// look emits a loss for each program that has been detached since the last time, and
// attaches it again where that is allowed. Ends that have come since the last time are
// inferred: it is called before they are delivered.
func (w *watches) look(l *loaded, now ktime, at model.Time, unseen *blind, out emit) bool {
	before := w.at
	w.at = now
	for i, p := range w.all {
		if p.gone || !p.detached() {
			continue
		}
		p.gone = true
		if unseen.from == 0 || unseen.until != 0 {
			*unseen = blind{from: max(before, 1)}
		}
		if attached, err := p.again(); err == nil {
			l.links = append(l.links, attached)
			if again := watch(p.program, attached, p.again); again != nil {
				_ = p.info.Close()
				w.all[i] = again
			}
		}
		if !out(&model.Event{Record: model.Record{Kind: model.KindLoss, Loss: model.Loss{Time: at, Count: 1, Where: "detached " + p.program}}}) {
			return false
		}
	}
	if unseen.from != 0 && unseen.until == 0 && !w.anyGone() {
		unseen.until = now
	}
	return true
}

func (w *watches) anyGone() bool {
	for _, p := range w.all {
		if p.gone {
			return true
		}
	}
	return false
}

func (w *watches) close() {
	for _, p := range w.all {
		_ = p.info.Close()
	}
	w.all = nil
}
