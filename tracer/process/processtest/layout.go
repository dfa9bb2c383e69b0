package processtest

import (
	"strings"

	"github.com/closetrace/closetrace/model"
)

// IDs of the containers and pods in [Layouts].
const (
	ContainerID  = "3f4a8c0e5b7d9f1a2c4e6b8d0f1a3c5e7b9d1f3a5c7e9b0d2f4a6c8e0b1d3f5a"
	OtherID      = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	PodUID       = "d2f4a6c8-e0b1-4d3f-8a5c-7e9b0d2f4a6c"
	StaticPodUID = "5b7d9f1a2c4e6b8d0f1a3c5e7b9d1f3a"
)

// Place is what the path of a control group says about who runs in it.
type Place struct {
	Container model.Container
	PodUID    string
	Unit      string // of systemd; empty inside a container
}

// PlaceOf returns what facts say of it.
func PlaceOf(f *model.Facts) Place { return Place{f.Container, f.K8s.Pod.UID, f.Systemd.Unit} }

// Layout is a path of a control group as a runtime makes it, and what it says.
type Layout struct {
	Name string
	Path string
	Want Place
}

// Possible reports whether a control group can be made at the path, below
// another one.
func (l *Layout) Possible() bool {
	return strings.HasPrefix(l.Path, "/") && l.Path != "/" && !strings.Contains(l.Path, "..")
}

func container(runtime string) model.Container {
	return model.Container{ID: ContainerID, Runtime: runtime}
}

// Layouts returns the layouts of eleven kinds that surveys of nodes found, and more.
// Sources: the documentation and the code of kubelet (cgroup_manager_linux.go), CRI-O,
// containerd, Docker, Podman, LXC and systemd.
func Layouts() []Layout {
	under := strings.ReplaceAll(PodUID, "-", "_")
	return []Layout{
		{
			"kubelet with systemd and containerd",
			"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + under + ".slice/cri-containerd-" + ContainerID + ".scope",
			Place{Container: container("containerd"), PodUID: PodUID},
		},
		{
			"guaranteed pod, CRI-O with a nested cgroup",
			"/kubepods.slice/kubepods-pod" + under + ".slice/crio-" + ContainerID + ".scope/container",
			Place{Container: container("cri-o"), PodUID: PodUID},
		},
		{
			"kubelet with cgroupfs",
			"/kubepods/besteffort/pod" + PodUID + "/" + ContainerID,
			Place{Container: container(""), PodUID: PodUID},
		},
		{
			"kind",
			"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" + under + ".slice/cri-containerd-" + ContainerID + ".scope",
			Place{Container: container("containerd"), PodUID: PodUID},
		},
		{"Docker with systemd", "/system.slice/docker-" + ContainerID + ".scope", Place{Container: container("docker")}},
		{"Docker with cgroupfs", "/docker/" + ContainerID, Place{Container: container("docker")}},
		{"Podman of root", "/machine.slice/libpod-" + ContainerID + ".scope/container", Place{Container: container("podman")}},
		{
			"Podman without root",
			"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + ContainerID + ".scope/container",
			Place{Container: container("podman")},
		},
		{
			"containerd with a slice but without the systemd driver",
			"/system.slice/containerd.service/kubepods-burstable-pod" + under + ".slice:cri-containerd:" + ContainerID,
			Place{Container: container("containerd"), PodUID: PodUID},
		},
		{"a service", "/system.slice/nginx.service", Place{Unit: "nginx.service"}},
		{
			"static pod",
			"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + StaticPodUID + ".slice/cri-containerd-" + ContainerID + ".scope",
			Place{Container: container("containerd"), PodUID: StaticPodUID},
		},
		{
			"a container of Docker inside a pod",
			"/kubepods/burstable/pod" + PodUID + "/" + OtherID + "/docker/" + ContainerID,
			Place{Container: container("docker"), PodUID: PodUID},
		},
		{
			"a pod inside a node that is a container",
			"/system.slice/docker-" + OtherID + ".scope/kubelet.slice/kubelet-kubepods-pod" + under + ".slice/cri-containerd-" + ContainerID + ".scope",
			Place{Container: container("containerd"), PodUID: PodUID},
		},
		{"LXC", "/lxc.payload.web1/system.slice/nginx.service", Place{Container: model.Container{ID: "web1", Runtime: "lxc"}}},
		{
			"systemd-nspawn", "/machine.slice/machine-web2.scope/payload/system.slice/nginx.service",
			Place{Container: model.Container{ID: "web2", Runtime: "systemd-nspawn"}},
		},
		{"nerdctl", "/system.slice/nerdctl-" + ContainerID + ".scope", Place{Container: container("containerd")}},
		{"a service of a user", "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", Place{Unit: "foo.service"}},
		{"a session", "/user.slice/user-1000.slice/session-2.scope/closetrace-17", Place{Unit: "session-2.scope"}},
		{"the monitor of a container of Podman", "/machine.slice/libpod-conmon-" + ContainerID + ".scope", Place{Unit: "libpod-conmon-" + ContainerID + ".scope"}},
		{"a virtual machine", `/machine.slice/machine-qemu\x2d1\x2dvm.scope`, Place{Unit: `machine-qemu\x2d1\x2dvm.scope`}},
		{"relative, from inside a namespace", "/../../system.slice/docker-" + ContainerID + ".scope", Place{Container: container("docker")}},
		{"the root", "/", Place{}},
		{"nothing", "", Place{}},
		{"an id that is too short", "/docker/" + ContainerID[1:], Place{}},
		{"an id that is not hexadecimal", "/docker/" + ContainerID[1:] + "g", Place{}},
		{"a directory that only looks like a pod", "/podinfo/pod", Place{}},
		{"a pod of Podman", "/machine.slice/machine-libpod_pod_" + OtherID + ".slice/libpod-" + ContainerID + ".scope", Place{Container: container("podman")}},
	}
}
