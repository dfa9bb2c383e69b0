package tracer

import (
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

const (
	testID    = "3f4a8c0e5b7d9f1a2c4e6b8d0f1a3c5e7b9d1f3a5c7e9b0d2f4a6c8e0b1d3f5a"
	otherID   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	testUID   = "d2f4a6c8-e0b1-4d3f-8a5c-7e9b0d2f4a6c"
	staticUID = "5b7d9f1a2c4e6b8d0f1a3c5e7b9d1f3a"
)

// layout is a path of a control group as a runtime makes it.
type layout struct {
	name string
	path string
	want place
}

func container(runtime string) model.Container { return model.Container{ID: testID, Runtime: runtime} }

// layouts of the eleven kinds that ecosystem studies of nodes found, and more.
// Sources: the documentation and the code of kubelet (cgroup_manager_linux.go),
// CRI-O, containerd, Docker, Podman, LXC and systemd.
func layouts() []layout {
	under := strings.ReplaceAll(testUID, "-", "_")
	return []layout{
		{
			"kubelet with systemd and containerd",
			"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + under + ".slice/cri-containerd-" + testID + ".scope",
			place{container: container("containerd"), podUID: testUID},
		},
		{
			"guaranteed pod, CRI-O with a nested cgroup",
			"/kubepods.slice/kubepods-pod" + under + ".slice/crio-" + testID + ".scope/container",
			place{container: container("cri-o"), podUID: testUID},
		},
		{
			"kubelet with cgroupfs",
			"/kubepods/besteffort/pod" + testUID + "/" + testID,
			place{container: container(""), podUID: testUID},
		},
		{
			"kind",
			"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" + under + ".slice/cri-containerd-" + testID + ".scope",
			place{container: container("containerd"), podUID: testUID},
		},
		{"Docker with systemd", "/system.slice/docker-" + testID + ".scope", place{container: container("docker")}},
		{"Docker with cgroupfs", "/docker/" + testID, place{container: container("docker")}},
		{"Podman of root", "/machine.slice/libpod-" + testID + ".scope/container", place{container: container("podman")}},
		{
			"Podman without root",
			"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + testID + ".scope/container",
			place{container: container("podman")},
		},
		{
			"containerd with a slice but without the systemd driver",
			"/system.slice/containerd.service/kubepods-burstable-pod" + under + ".slice:cri-containerd:" + testID,
			place{container: container("containerd"), podUID: testUID},
		},
		{"a service", "/system.slice/nginx.service", place{unit: "nginx.service"}},
		{
			"static pod",
			"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + staticUID + ".slice/cri-containerd-" + testID + ".scope",
			place{container: container("containerd"), podUID: staticUID},
		},
		{
			"a container of Docker inside a pod",
			"/kubepods/burstable/pod" + testUID + "/" + otherID + "/docker/" + testID,
			place{container: container("docker"), podUID: testUID},
		},
		{
			"a pod inside a node that is a container",
			"/system.slice/docker-" + otherID + ".scope/kubelet.slice/kubelet-kubepods-pod" + under + ".slice/cri-containerd-" + testID + ".scope",
			place{container: container("containerd"), podUID: testUID},
		},
		{"LXC", "/lxc.payload.web1/system.slice/nginx.service", place{container: model.Container{ID: "web1", Runtime: "lxc"}}},
		{
			"systemd-nspawn", "/machine.slice/machine-web2.scope/payload/system.slice/nginx.service",
			place{container: model.Container{ID: "web2", Runtime: "systemd-nspawn"}},
		},
		{"nerdctl", "/system.slice/nerdctl-" + testID + ".scope", place{container: container("containerd")}},
		{"a service of a user", "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", place{unit: "foo.service"}},
		{"a session", "/user.slice/user-1000.slice/session-2.scope/closetrace-17", place{unit: "session-2.scope"}},
		{"the monitor of a container of Podman", "/machine.slice/libpod-conmon-" + testID + ".scope", place{unit: "libpod-conmon-" + testID + ".scope"}},
		{"a virtual machine", `/machine.slice/machine-qemu\x2d1\x2dvm.scope`, place{unit: `machine-qemu\x2d1\x2dvm.scope`}},
		{"relative, from inside a namespace", "/../../system.slice/docker-" + testID + ".scope", place{container: container("docker")}},
		{"the root", "/", place{}},
		{"nothing", "", place{}},
		{"an id that is too short", "/docker/" + testID[1:], place{}},
		{"an id that is not hexadecimal", "/docker/" + testID[1:] + "g", place{}},
		{"a directory that only looks like a pod", "/podinfo/pod", place{}},
		{"a pod of Podman", "/machine.slice/machine-libpod_pod_" + otherID + ".slice/libpod-" + testID + ".scope", place{container: container("podman")}},
	}
}

func TestPlaceOf(t *testing.T) {
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) {
			if got := placeOf(l.path); got != l.want {
				t.Errorf("placeOf(%q) = %+v, want %+v", l.path, got, l.want)
			}
		})
	}
}

// FuzzPlaceOf: what is said of a path is in the path, and an id is never half.
func FuzzPlaceOf(f *testing.F) {
	for _, l := range layouts() {
		f.Add(l.path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p := placeOf(path)
		if !strings.Contains(path, p.container.ID) || !strings.Contains(path, p.unit) {
			t.Errorf("placeOf(%q) = %+v: not in the path", path, p)
		}
		if p.podUID != "" && !strings.Contains(strings.ReplaceAll(path, "_", "-"), p.podUID) {
			t.Errorf("placeOf(%q): pod %q is not in the path", path, p.podUID)
		}
		if p.container.ID != "" && p.unit != "" {
			t.Errorf("placeOf(%q) = %+v: both a container and a unit", path, p)
		}
	})
}
