package record

import (
	"math"

	"github.com/closetrace/closetrace/model"
)

// facts reads a member of the facts of a connection end.
func (d *Decoder) facts(key []byte, f *model.Facts) {
	switch string(key) {
	case "network":
		d.network(&f.Network)
	case "process":
		d.process(&f.Process)
	case "closer":
		d.closer(&f.Closer)
	case "container":
		d.container(&f.Container)
	case "k8s":
		d.k8s(&f.K8s)
	case "cgroup":
		d.nested("cgroup", "path", &f.Cgroup.Path)
	case "systemd":
		d.nested("systemd", "unit", &f.Systemd.Unit)
	case "tcp":
		d.tcp(&f.TCP)
	case "linger":
		d.linger(&f.Linger)
	case "start_time":
		d.time("start_time", &f.StartTime)
	case "duration_ns":
		optional(d, "duration_ns", &f.Duration, math.MinInt64, math.MaxInt64)
	case "facts":
		d.evidence(&f.Evidence)
	default:
		d.skip(0)
	}
}

// nested reads an object of which one member is known.
func (d *Decoder) nested(object, member string, v *string) {
	d.member = object
	for key, ok := d.enter(); ok; key, ok = d.next() {
		if string(key) == member {
			d.str(object, v)
		} else {
			d.skip(0)
		}
	}
}

func (d *Decoder) network(v *model.Network) {
	d.member = "network"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "local":
			d.endpoint(&v.Local, "network.local")
		case "peer":
			d.endpoint(&v.Peer, "network.peer")
		case "netns":
			signed(d, "network.netns", &v.NetNS, 0, math.MaxUint32)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) endpoint(v *model.Endpoint, member string) {
	d.member = member
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "address":
			d.address("address", &v.Address)
		case "port":
			signed(d, "port", &v.Port, 0, math.MaxUint16)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) process(v *model.Process) {
	d.member = "process"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "pid":
			signed(d, "process.pid", &v.PID, math.MinInt32, math.MaxUint32)
		case "start_time":
			d.time("process.start_time", &v.StartTime)
		case "name":
			d.str("process.name", &v.Name)
		case "executable":
			d.nested("process.executable", "path", &v.Executable.Path)
		case "user":
			d.user(&v.User)
		case "source":
			d.name("process.source", &v.Source)
		case "command_line":
			d.str("process.command_line", &v.CommandLine)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) user(v *model.User) {
	d.member = "process.user"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "id":
			optional(d, "process.user.id", &v.ID, 0, math.MaxUint32)
		case "name":
			d.str("process.user.name", &v.Name)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) closer(v *model.Closer) {
	d.member = "closer"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "pid":
			signed(d, "closer.pid", &v.PID, math.MinInt32, math.MaxUint32)
		case "tid":
			signed(d, "closer.tid", &v.TID, math.MinInt32, math.MaxUint32)
		case "name":
			d.str("closer.name", &v.Name)
		case "call":
			d.name("closer.call", &v.Call)
		case "signal":
			signed(d, "closer.signal", &v.Signal, math.MinInt32, math.MaxUint32)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) container(v *model.Container) {
	d.member = "container"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "id":
			d.str("container.id", &v.ID)
		case "runtime":
			d.str("container.runtime", &v.Runtime)
		case "name":
			d.str("container.name", &v.Name)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) k8s(v *model.K8s) {
	d.member = "k8s"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "pod":
			d.pod(&v.Pod)
		case "namespace":
			d.nested("k8s.namespace", "name", &v.Namespace.Name)
		case "container":
			d.nested("k8s.container", "name", &v.Container.Name)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) pod(v *model.Pod) {
	d.member = "k8s.pod"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "uid":
			d.str("k8s.pod.uid", &v.UID)
		case "name":
			d.str("k8s.pod.name", &v.Name)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) linger(v *model.Linger) {
	d.member = "linger"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "on":
			d.optBool("linger.on", &v.On)
		case "seconds":
			optional(d, "linger.seconds", &v.Seconds, math.MinInt64, math.MaxInt64)
		case "outcome":
			d.name("linger.outcome", &v.Outcome)
		default:
			d.skip(0)
		}
	}
}
