package process

import (
	"strings"

	"github.com/closetrace/closetrace/model"
)

// place is what the path of a control group says about who runs in it.
type place struct {
	container model.Container
	podUID    string
	unit      string // of systemd; empty inside a container
}

// runtimes maps the prefix of a scope or of a cgroup's name to the runtime
// that uses it.
var runtimes = map[string]string{
	"cri-containerd": "containerd",
	"containerd":     "containerd",
	"nerdctl":        "containerd",
	"crio":           "cri-o",
	"docker":         "docker",
	"libpod":         "podman",
}

// placeOf reads a path of the kinds that kubelet (systemd and cgroupfs drivers, kind),
// containerd, CRI-O, Docker, Podman, LXC, systemd-nspawn and systemd make. The innermost
// container counts: the process lives there, even if that container is inside another
// one.
func placeOf(path string) place {
	var p place
	elements := strings.Split(path, "/")
	for i, element := range elements {
		parent := ""
		if i > 0 {
			parent = elements[i-1]
		}
		if uid := podOf(element); uid != "" {
			p.podUID = uid
		}
		if c, ok := containerOf(element, parent); ok {
			p.container, p.unit = c, ""
		} else if p.container.ID == "" && isUnit(element) {
			p.unit = element
		}
	}
	return p
}

// containerOf reads one element of a path; parent is the one above it.
func containerOf(element, parent string) (model.Container, bool) {
	if name, ok := strings.CutPrefix(element, "lxc.payload."); ok && name != "" {
		return model.Container{ID: name, Runtime: "lxc"}, true
	}
	if element == "payload" { // below the unit of systemd-nspawn
		return nspawn(parent)
	}
	if parts := strings.Split(element, ":"); len(parts) == 3 { // SLICE:cri-containerd:ID
		return model.Container{ID: parts[2], Runtime: runtimes[parts[1]]}, isContainerID(parts[2])
	}
	element = strings.TrimSuffix(element, ".scope")
	prefix, id := "", element
	if dash := strings.LastIndexByte(element, '-'); dash >= 0 {
		prefix, id = element[:dash], element[dash+1:]
	}
	if !isContainerID(id) || strings.HasSuffix(prefix, "conmon") { // conmon watches a container from outside
		return model.Container{}, false
	}
	if prefix == "" {
		prefix = parent // /docker/ID
	}
	return model.Container{ID: id, Runtime: runtimes[prefix]}, true
}

func nspawn(unit string) (model.Container, bool) {
	for _, around := range [][2]string{{"machine-", ".scope"}, {"systemd-nspawn@", ".service"}} {
		name, starts := strings.CutPrefix(unit, around[0])
		name, ends := strings.CutSuffix(name, around[1])
		if starts && ends && name != "" {
			return model.Container{ID: name, Runtime: "systemd-nspawn"}, true
		}
	}
	return model.Container{}, false
}

// isContainerID: 64 hexadecimal digits, in every runtime that Kubernetes,
// Docker and Podman use.
func isContainerID(s string) bool { return len(s) == 64 && isHex(s) }

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return s != ""
}

// podOf returns the UID of an element kubepods-burstable-podUID.slice or podUID. In
// slices systemd replaces the UID's dashes by underscores; the UID of a static pod is a
// hash of 32 digits.
func podOf(element string) string {
	element, _, _ = strings.Cut(element, ":")
	name, slice := strings.CutSuffix(element, ".slice")
	uid, ok := strings.CutPrefix(name, "pod")
	if slice {
		if !strings.Contains(name, "kubepods-") {
			return ""
		}
		if at := strings.LastIndex(name, "-pod"); at >= 0 {
			uid, ok = name[at+len("-pod"):], true
		}
	}
	uid = strings.ReplaceAll(uid, "_", "-")
	if !ok || !isHex(strings.ReplaceAll(uid, "-", "")) {
		return ""
	}
	if len(uid) == 32 || len(uid) == 36 && strings.Count(uid, "-") == 4 {
		return uid
	}
	return ""
}

// isUnit: only units that hold processes; slices hold other units.
func isUnit(element string) bool {
	for _, suffix := range []string{".service", ".scope", ".socket", ".mount", ".swap"} {
		if name, ok := strings.CutSuffix(element, suffix); ok && name != "" {
			return true
		}
	}
	return false
}
