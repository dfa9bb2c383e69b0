package conns

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// view is a connection as expressions see it: JSON's names, with plain types.
type view struct {
	ID         string      `expr:"id"`
	Transport  string      `expr:"transport"`
	State      string      `expr:"state"`
	Network    viewNetwork `expr:"network"`
	Process    viewProcess `expr:"process"`
	Container  viewID      `expr:"container"`
	K8s        viewK8s     `expr:"k8s"`
	Cgroup     viewCgroup  `expr:"cgroup"`
	Systemd    viewSystemd `expr:"systemd"`
	Orphan     bool        `expr:"orphan"`
	Unaccepted bool        `expr:"unaccepted"`
	Holders    int         `expr:"holders"` // how many
	Socket     viewSocket  `expr:"socket"`
	Queue      viewQueue   `expr:"queue"`
	TCP        viewTCP     `expr:"tcp"`
	Linger     viewLinger  `expr:"linger"`
	OnClose    viewOnClose `expr:"on_close"`
	DurationNS int         `expr:"duration_ns"`
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
	PID         int      `expr:"pid"`
	Name        string   `expr:"name"`
	Source      string   `expr:"source"`
	CommandLine string   `expr:"command_line"`
	Executable  viewPath `expr:"executable"`
	User        viewUser `expr:"user"`
}

type viewPath struct {
	Path string `expr:"path"`
}

type viewUser struct {
	ID   int    `expr:"id"`
	Name string `expr:"name"`
}

type viewID struct {
	ID      string `expr:"id"`
	Runtime string `expr:"runtime"`
	Name    string `expr:"name"`
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

type viewSocket struct {
	Inode  int    `expr:"inode"`
	UID    int    `expr:"uid"`
	Cgroup string `expr:"cgroup"`
	Drops  int    `expr:"drops"`
}

type viewQueue struct {
	Receive int `expr:"receive"`
	Send    int `expr:"send"`
}

type viewTCP struct {
	Bytes       viewBytes `expr:"bytes"`
	Retransmits int       `expr:"retransmits"`
	SRTTNS      int       `expr:"srtt_ns"`
	IdleNS      int       `expr:"idle_ns"`
	TimeWait    bool      `expr:"time_wait"`
	Timer       string    `expr:"timer"`
}

type viewBytes struct {
	Sent     int `expr:"sent"`
	Received int `expr:"received"`
	Unsent   int `expr:"unsent"`
	Unacked  int `expr:"unacked"`
	Unread   int `expr:"unread"`
}

type viewLinger struct {
	On      bool `expr:"on"`
	Seconds int  `expr:"seconds"`
}

type viewOnClose struct {
	Effect string `expr:"effect"`
	Cause  string `expr:"cause"`
	Bytes  int    `expr:"bytes"`
	WaitNS int    `expr:"wait_ns"`
}

func viewOf(c *Conn) *view {
	v := &view{
		ID: c.ID, Transport: c.Transport, State: c.State.String(),
		Network: viewNetwork{
			Type: c.Network.Type(), Local: endpoint(c.Network.Local), Peer: endpoint(c.Network.Peer),
			NetNS: int(c.Network.NetNS),
		},
		Process: viewProcess{
			PID: c.Process.PID, Name: c.Process.Name, Source: c.Process.Source.String(),
			CommandLine: c.Process.CommandLine, Executable: viewPath{c.Process.Executable.Path},
			User: viewUser{number(c.Process.User.ID), c.Process.User.Name},
		},
		Container: viewID{c.Container.ID, c.Container.Runtime, c.Container.Name},
		K8s: viewK8s{
			Pod:       viewPod{c.K8s.Pod.UID, c.K8s.Pod.Name},
			Namespace: viewName{c.K8s.Namespace.Name}, Container: viewName{c.K8s.Container.Name},
		},
		Cgroup: viewCgroup{c.Cgroup.Path}, Systemd: viewSystemd{c.Systemd.Unit},
		Orphan: c.Orphan, Unaccepted: c.Unaccepted, Holders: len(c.Holders),
		Socket: viewSocket{int(c.Socket.Inode), number(c.Socket.UID), c.Socket.Cgroup, number(c.Socket.Drops)},
		Queue:  viewQueue{int(c.Queue.Receive), int(c.Queue.Send)},
		Linger: viewLinger{c.Linger.On.Or(false), number(c.Linger.Seconds)},
		OnClose: viewOnClose{
			c.OnClose.Effect.String(), c.OnClose.Cause.String(), int(c.OnClose.Bytes), int(c.OnClose.Wait),
		},
		DurationNS: number(c.Duration),
	}
	v.TCP.fill(&c.TCP)
	return v
}

func (v *viewTCP) fill(t *TCP) {
	*v = viewTCP{
		Bytes: viewBytes{
			number(t.Bytes.Sent), number(t.Bytes.Received), number(t.Bytes.Unsent),
			number(t.Bytes.Unacked), number(t.Bytes.Unread),
		},
		Retransmits: number(t.Retransmits), SRTTNS: number(t.SRTT), IdleNS: number(t.Idle),
		TimeWait: t.TimeWait, Timer: t.Timer.Name,
	}
}

func endpoint(e model.Endpoint) viewEndpoint {
	v := viewEndpoint{Port: int(e.Port)}
	if e.Address.IsValid() {
		v.Address = e.Address.String()
	}
	return v
}

// number returns a value that may not be known as expressions see it.
func number[T int | uint32 | uint64 | time.Duration](o model.Opt[T]) int {
	v, known := o.Get()
	if !known {
		return -1
	}
	return int(v)
}
