package record

import (
	"net/netip"
	"strconv"

	"github.com/closetrace/closetrace/model"
)

// facts writes the facts of a record that has no judgement.
func (e *encoder) facts(f *model.Facts, empty emptiness) {
	e.str(`"id":`, f.ID)
	e.factsBody(f, empty)
}

// factsBody writes everything after the ID; empty says whether the objects
// that a teardown always has are written without members.
func (e *encoder) factsBody(f *model.Facts, empty emptiness) {
	e.network(&f.Network, empty)
	part(e, &e.parts.process, f.Process.PID+int(f.Process.Source), &f.Process, (*encoder).process)
	part(e, &e.parts.closer, f.Closer.TID, &f.Closer, (*encoder).closer)
	where := place{f.Container, f.K8s, f.Cgroup, f.Systemd}
	part(e, &e.parts.place, len(where.cgroup.Path), &where, (*encoder).place)
	e.tcp(&f.TCP, empty)
	at := e.open(`"linger":`)
	boolean(e, `"on":`, f.Linger.On)
	number(e, `"seconds":`, f.Linger.Seconds)
	e.word(`"outcome":`, f.Linger.Outcome.String())
	e.close(at, omitEmpty)
	e.timeIf(`"start_time":`, f.StartTime)
	number(e, `"duration_ns":`, f.Duration)
	e.evidence(&f.Evidence, empty)
}

func (e *encoder) network(n *model.Network, empty emptiness) {
	at := e.open(`"network":`)
	e.word(`"type":`, n.Type())
	e.endpoint(`"local":`, n.Local)
	e.endpoint(`"peer":`, n.Peer)
	e.uintIf(`"netns":`, uint64(n.NetNS))
	e.close(at, empty)
}

func (e *encoder) endpoint(key string, p model.Endpoint) {
	at := e.open(key)
	if p.Address.IsValid() {
		e.address(p.Address)
	}
	e.uintIf(`"port":`, uint64(p.Port))
	e.close(at, omitEmpty)
}

// address writes an address; only its zone can hold a character that needs escaping.
func (e *encoder) address(a netip.Addr) {
	if a.Zone() != "" {
		e.str(`"address":`, a.String())
		return
	}
	e.key(`"address":`)
	e.b = append(e.b, '"')
	e.b = a.AppendTo(e.b)
	e.b = append(e.b, '"', ',')
}

func (e *encoder) process(p *model.Process) {
	at := e.open(`"process":`)
	e.intIf(`"pid":`, int64(p.PID))
	e.timeIf(`"start_time":`, p.StartTime)
	e.str(`"name":`, p.Name)
	e.nested(`"executable":`, `"path":`, p.Executable.Path)
	user := e.open(`"user":`)
	number(e, `"id":`, p.User.ID)
	e.str(`"name":`, p.User.Name)
	e.close(user, omitEmpty)
	e.word(`"source":`, p.Source.String())
	e.str(`"command_line":`, p.CommandLine)
	e.close(at, omitEmpty)
}

func (e *encoder) closer(c *model.Closer) {
	at := e.open(`"closer":`)
	e.intIf(`"pid":`, int64(c.PID))
	e.intIf(`"tid":`, int64(c.TID))
	e.str(`"name":`, c.Name)
	e.word(`"call":`, c.Call.String())
	e.intIf(`"signal":`, int64(c.Signal))
	e.close(at, omitEmpty)
}

// place is where the owner runs.
type place struct {
	container model.Container
	k8s       model.K8s
	cgroup    model.Cgroup
	systemd   model.Systemd
}

func (e *encoder) place(p *place) {
	at := e.open(`"container":`)
	e.str(`"id":`, p.container.ID)
	e.str(`"runtime":`, p.container.Runtime)
	e.str(`"name":`, p.container.Name)
	e.close(at, omitEmpty)
	at = e.open(`"k8s":`)
	pod := e.open(`"pod":`)
	e.str(`"uid":`, p.k8s.Pod.UID)
	e.str(`"name":`, p.k8s.Pod.Name)
	e.close(pod, omitEmpty)
	e.nested(`"namespace":`, `"name":`, p.k8s.Namespace.Name)
	e.nested(`"container":`, `"name":`, p.k8s.Container.Name)
	e.close(at, omitEmpty)
	e.nested(`"cgroup":`, `"path":`, p.cgroup.Path)
	e.nested(`"systemd":`, `"unit":`, p.systemd.Unit)
}

func (e *encoder) tcp(t *model.TCP, empty emptiness) {
	at := e.open(`"tcp":`)
	if t.Role != model.RoleUnknown {
		e.name(`"role":`, t.Role.String())
	}
	if t.Path.Len() > 0 {
		part(e, &e.parts.path, t.Path.Len()+int(t.Path.Last()), &t.Path, (*encoder).path)
	}
	e.str(`"error":`, t.Error)
	flags := segments{t.FIN, t.RST}
	part(e, &e.parts.segments, flags.slot(), &flags, (*encoder).segments)
	e.bytes(&t.Bytes)
	number(e, `"retransmits":`, t.Retransmits)
	number(e, `"srtt_ns":`, t.SRTT)
	e.conversation(t)
	boolean(e, `"time_wait":`, t.TimeWait)
	e.flagIf(`"loopback":`, t.Loopback)
	e.flagIf(`"preexisting":`, t.Preexisting)
	e.close(at, empty)
}

// conversation writes what was said before the end, and how well it went.
func (e *encoder) conversation(t *model.TCP) {
	e.timeIf(`"last_sent_time":`, t.LastSent)
	e.timeIf(`"last_received_time":`, t.LastReceived)
	number(e, `"idle_ns":`, t.Idle)
	e.word(`"last_speaker":`, t.LastSpeaker.String())
	at := e.open(`"segments":`)
	number(e, `"in":`, t.Segments.In)
	number(e, `"out":`, t.Segments.Out)
	e.close(at, omitEmpty)
	number(e, `"unacked_wait_ns":`, t.UnackedWait)
	number(e, `"mss":`, t.MSS)
	number(e, `"pmtu":`, t.PMTU)
	boolean(e, `"full_size_acked":`, t.FullSizeAcked)
	at = e.open(`"limited":`)
	number(e, `"busy_ns":`, t.Limited.Busy)
	number(e, `"receiver_ns":`, t.Limited.Receiver)
	number(e, `"sender_ns":`, t.Limited.Sender)
	e.close(at, omitEmpty)
	boolean(e, `"syn_cookie":`, t.SYNCookie)
	boolean(e, `"fast_open":`, t.FastOpen)
	if t.Fingerprint != 0 {
		e.key(`"fingerprint":"`)
		for shift := 60; shift >= 0; shift -= 4 {
			e.b = append(e.b, hex[t.Fingerprint>>shift&0xf])
		}
		e.b = append(e.b, '"', ',')
	}
}

// segments is who sent FIN and RST.
type segments struct {
	fin model.FIN
	rst model.RST
}

func (s *segments) slot() int {
	slot := len(s.rst.Reason)
	for i, seen := range [...]model.Opt[bool]{s.fin.Sent, s.fin.Received, s.rst.Sent, s.rst.Received} {
		if seen.Is(true) {
			slot += 1 << i
		}
	}
	return slot
}

func (e *encoder) segments(s *segments) {
	fin := e.open(`"fin":`)
	boolean(e, `"sent":`, s.fin.Sent)
	boolean(e, `"received":`, s.fin.Received)
	e.close(fin, omitEmpty)
	rst := e.open(`"rst":`)
	boolean(e, `"sent":`, s.rst.Sent)
	boolean(e, `"received":`, s.rst.Received)
	e.str(`"reason":`, s.rst.Reason)
	e.close(rst, omitEmpty)
}

func (e *encoder) path(p *model.Path) {
	e.key(`"path":`)
	e.b = append(e.b, '[')
	for i, s := range p.States() {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		e.b = append(e.b, '"')
		e.b = append(e.b, s.String()...)
		e.b = append(e.b, '"')
	}
	e.b = append(e.b, ']', ',')
}

func (e *encoder) bytes(b *model.Bytes) {
	at := e.open(`"bytes":`)
	number(e, `"sent":`, b.Sent)
	number(e, `"received":`, b.Received)
	number(e, `"unsent":`, b.Unsent)
	number(e, `"unacked":`, b.Unacked)
	number(e, `"unread":`, b.Unread)
	number(e, `"retransmitted":`, b.Retransmitted)
	e.close(at, omitEmpty)
}

func (e *encoder) evidence(v *model.Evidence, empty emptiness) {
	at := e.open(`"facts":`)
	boolean(e, `"owned":`, v.Owned)
	boolean(e, `"dead":`, v.Dead)
	e.word(`"descriptor":`, v.Descriptor.String())
	number(e, `"shutdown":`, v.Shutdown)
	boolean(e, `"fin_acked":`, v.FINAcked)
	e.str(`"soft_error":`, v.SoftError)
	boolean(e, `"icmp_watched":`, v.ICMPWatched)
	e.flagIf(`"no_port":`, v.NoPort)
	e.flagIf(`"rst_received_before":`, v.RSTReceivedBefore)
	e.flagIf(`"rst_sent_before":`, v.RSTSentBefore)
	e.flagIf(`"rst_sent_after":`, v.RSTSentAfter)
	e.flagIf(`"rst_reply_after":`, v.RSTReplyAfter)
	e.flagIf(`"rst_reply_time_wait":`, v.RSTReplyTimeWait)
	boolean(e, `"rst_flag":`, v.RSTFlag)
	e.flagIf(`"rst_here":`, v.RSTHere)
	number(e, `"timer_retransmits":`, v.TimerRetransmits)
	number(e, `"timer_probes":`, v.TimerProbes)
	e.flagIf(`"window_open":`, v.WindowOpen)
	number(e, `"user_timeout_ns":`, v.UserTimeout)
	number(e, `"linger2":`, v.Linger2)
	boolean(e, `"keepalive":`, v.Keepalive)
	e.flagIf(`"repair":`, v.Repair)
	e.flagIf(`"mptcp":`, v.MPTCP)
	e.wait(&v.Wait)
	if v.Notices != 0 {
		e.notices(v.Notices)
	}
	e.word(`"abort_reason":`, v.AbortReason.String())
	boolean(e, `"abort_in_close":`, v.AbortInClose)
	e.flagIf(`"process_gone":`, v.ProcessGone)
	e.events(v.Events)
	e.timeIf(`"first_fin_time":`, v.FirstFIN)
	e.timeIf(`"close_time":`, v.CloseTime)
	e.flagIf(`"gap":`, v.Gap)
	e.flagIf(`"later":`, v.Later)
	e.close(at, empty)
}

func (e *encoder) wait(w *model.LingerWait) {
	at := e.open(`"linger_wait":`)
	e.flagIf(`"began":`, w.Began)
	e.flagIf(`"exiting":`, w.Exiting)
	number(e, `"left_ns":`, w.Left)
	e.flagIf(`"left_dead":`, w.LeftDead)
	e.flagIf(`"left_owned":`, w.LeftOwned)
	number(e, `"waiting_ns":`, w.Waiting)
	number(e, `"orphaned_ns":`, w.Orphaned)
	number(e, `"returned_ns":`, w.Returned)
	e.flagIf(`"timer_expired":`, w.TimerExpired)
	e.close(at, omitEmpty)
}

func (e *encoder) notices(set model.Notices) {
	e.key(`"notices":`)
	e.b = append(e.b, '[')
	for n := model.Notice(0); n < 32; n++ {
		if set.Has(n) {
			e.b = append(e.b, '"')
			e.b = append(e.b, n.String()...)
			e.b = append(e.b, '"', ',')
		}
	}
	e.b[len(e.b)-1] = ']'
	e.b = append(e.b, ',')
}

func (e *encoder) events(events []model.EventRef) {
	if len(events) == 0 {
		return
	}
	e.key(`"events":`)
	e.b = append(e.b, '[')
	for i := range events {
		e.b = append(e.b, '{')
		e.str(`"provider":`, events[i].Provider)
		e.key(`"id":`)
		e.b = strconv.AppendUint(e.b, uint64(events[i].ID), 10)
		e.b = append(e.b, ',')
		number(e, `"reason":`, events[i].Reason)
		e.b[len(e.b)-1] = '}'
		e.b = append(e.b, ',')
	}
	e.b[len(e.b)-1] = ']'
	e.b = append(e.b, ',')
}
