package model

import "time"

// view is a teardown as filters see it: the record's names, with plain types.
type view struct {
	ID         string        `expr:"id"`
	Verdict    string        `expr:"verdict"`
	Cause      string        `expr:"cause"`
	Initiator  string        `expr:"initiator"`
	Terminator string        `expr:"terminator"`
	Confidence string        `expr:"confidence"`
	Rule       string        `expr:"rule"`
	Network    viewNetwork   `expr:"network"`
	Process    viewProcess   `expr:"process"`
	Closer     viewCloser    `expr:"closer"`
	Container  viewContainer `expr:"container"`
	K8s        viewK8s       `expr:"k8s"`
	Cgroup     viewCgroup    `expr:"cgroup"`
	Systemd    viewSystemd   `expr:"systemd"`
	TCP        viewTCP       `expr:"tcp"`
	Linger     viewLinger    `expr:"linger"`
	DurationNS int           `expr:"duration_ns"`
	BlockedNS  int           `expr:"close_blocked_ns"`
}

type viewNetwork struct {
	Type  string       `expr:"type"`
	Local viewEndpoint `expr:"local"`
	Peer  viewEndpoint `expr:"peer"`
	NetNS int          `expr:"netns"`
}

type viewEndpoint struct {
	Address string `expr:"address"`
	Port    int    `expr:"port"`
}

type viewProcess struct {
	PID         int            `expr:"pid"`
	Name        string         `expr:"name"`
	Source      string         `expr:"source"`
	CommandLine string         `expr:"command_line"`
	Executable  viewExecutable `expr:"executable"`
	User        viewUser       `expr:"user"`
}

type viewExecutable struct {
	Path string `expr:"path"`
}

type viewUser struct {
	ID   int    `expr:"id"`
	Name string `expr:"name"`
}

type viewCloser struct {
	PID    int    `expr:"pid"`
	TID    int    `expr:"tid"`
	Name   string `expr:"name"`
	Call   string `expr:"call"`
	Signal int    `expr:"signal"`
}

type viewK8s struct {
	Pod       viewPod  `expr:"pod"`
	Namespace viewName `expr:"namespace"`
	Container viewName `expr:"container"`
}

type viewPod struct {
	UID  string `expr:"uid"`
	Name string `expr:"name"`
}

type viewName struct {
	Name string `expr:"name"`
}

type viewCgroup struct {
	Path string `expr:"path"`
}

type viewSystemd struct {
	Unit string `expr:"unit"`
}

type viewTCP struct {
	Role        string    `expr:"role"`
	Error       string    `expr:"error"`
	FIN         viewSides `expr:"fin"`
	RST         viewSides `expr:"rst"`
	Bytes       viewBytes `expr:"bytes"`
	Retransmits int       `expr:"retransmits"`
	SRTTNS      int       `expr:"srtt_ns"`
	TimeWait    bool      `expr:"time_wait"`
	Loopback    bool      `expr:"loopback"`
	Preexisting bool      `expr:"preexisting"`

	IdleNS        int          `expr:"idle_ns"`
	LastSpeaker   string       `expr:"last_speaker"`
	Segments      viewSegments `expr:"segments"`
	UnackedWaitNS int          `expr:"unacked_wait_ns"`
	MSS           int          `expr:"mss"`
	PMTU          int          `expr:"pmtu"`
	FullSizeAcked bool         `expr:"full_size_acked"`
	Limited       viewLimited  `expr:"limited"`
	SYNCookie     bool         `expr:"syn_cookie"`
	FastOpen      bool         `expr:"fast_open"`
	Fingerprint   string       `expr:"fingerprint"`
}

type viewSegments struct {
	In  int `expr:"in"`
	Out int `expr:"out"`
}

type viewLimited struct {
	BusyNS     int `expr:"busy_ns"`
	ReceiverNS int `expr:"receiver_ns"`
	SenderNS   int `expr:"sender_ns"`
}

type viewSides struct {
	Sent     bool   `expr:"sent"`
	Received bool   `expr:"received"`
	Reason   string `expr:"reason"`
}

type viewBytes struct {
	Sent     int `expr:"sent"`
	Received int `expr:"received"`
	Unsent   int `expr:"unsent"`
	Unacked  int `expr:"unacked"`
	Unread   int `expr:"unread"`

	Retransmitted int `expr:"retransmitted"`
}

type viewLinger struct {
	On      bool   `expr:"on"`
	Seconds int    `expr:"seconds"`
	Outcome string `expr:"outcome"`
}

// fill makes v show t. Addresses are only written out if addresses is set.
func (v *view) fill(t *Teardown, addresses bool) {
	*v = view{
		ID: t.ID, Verdict: t.Verdict.String(), Cause: t.Cause.String(),
		Initiator: t.Initiator.String(), Terminator: t.Terminator.String(),
		Confidence: t.Confidence.String(), Rule: t.Rule,
		Network: viewNetwork{
			Type:  t.Network.Type(),
			Local: viewEndpoint{Port: int(t.Network.Local.Port)},
			Peer:  viewEndpoint{Port: int(t.Network.Peer.Port)},
			NetNS: int(t.Network.NetNS),
		},
		Process: viewProcess{
			PID: t.Process.PID, Name: t.Process.Name, Source: t.Process.Source.String(),
			CommandLine: t.Process.CommandLine,
			Executable:  viewExecutable{t.Process.Executable.Path},
			User:        viewUser{ID: number(t.Process.User.ID), Name: t.Process.User.Name},
		},
		Closer: viewCloser{t.Closer.PID, t.Closer.TID, t.Closer.Name, t.Closer.Call.String(), t.Closer.Signal},
		K8s: viewK8s{
			Pod:       viewPod{t.K8s.Pod.UID, t.K8s.Pod.Name},
			Namespace: viewName{t.K8s.Namespace.Name}, Container: viewName{t.K8s.Container.Name},
		},
		Container: viewContainer{t.Container.ID, t.Container.Runtime, t.Container.Name},
		Cgroup:    viewCgroup{t.Cgroup.Path}, Systemd: viewSystemd{t.Systemd.Unit},
		Linger: viewLinger{
			On: t.Linger.On.Or(false), Seconds: number(t.Linger.Seconds), Outcome: t.LingerOutcome.String(),
		},
		DurationNS: number(t.Duration), BlockedNS: number(t.CloseBlocked),
	}
	v.TCP.fill(&t.TCP)
	if addresses {
		v.Network.Local.Address = t.Network.Local.Address.String()
		v.Network.Peer.Address = t.Network.Peer.Address.String()
	}
}

func (v *viewTCP) fill(t *TCP) {
	*v = viewTCP{
		Role: t.Role.String(), Error: t.Error,
		FIN: viewSides{Sent: t.FIN.Sent.Or(false), Received: t.FIN.Received.Or(false)},
		RST: viewSides{Sent: t.RST.Sent.Or(false), Received: t.RST.Received.Or(false), Reason: t.RST.Reason},
		Bytes: viewBytes{
			number(t.Bytes.Sent), number(t.Bytes.Received), number(t.Bytes.Unsent),
			number(t.Bytes.Unacked), number(t.Bytes.Unread), number(t.Bytes.Retransmitted),
		},
		Retransmits: number(t.Retransmits), SRTTNS: number(t.SRTT),
		TimeWait: t.TimeWait.Or(false), Loopback: t.Loopback, Preexisting: t.Preexisting,
		IdleNS: number(t.Idle), LastSpeaker: t.LastSpeaker.String(),
		Segments:      viewSegments{number(t.Segments.In), number(t.Segments.Out)},
		UnackedWaitNS: number(t.UnackedWait), MSS: number(t.MSS), PMTU: number(t.PMTU),
		FullSizeAcked: t.FullSizeAcked.Or(false),
		Limited:       viewLimited{number(t.Limited.Busy), number(t.Limited.Receiver), number(t.Limited.Sender)},
		SYNCookie:     t.SYNCookie.Or(false), FastOpen: t.FastOpen.Or(false), Fingerprint: t.Fingerprint.String(),
	}
}

// number returns a value that may not be known as filters see it.
func number[T int | uint32 | uint64 | time.Duration](o Opt[T]) int {
	v, known := o.Get()
	if !known {
		return -1
	}
	return int(v)
}

type viewContainer struct {
	ID      string `expr:"id"`
	Runtime string `expr:"runtime"`
	Name    string `expr:"name"`
}
