//go:build linux

package process

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
)

// logsEvery is how often kubelet's folders are read at most.
const logsEvery = time.Second

// podNames is what a node's files say about one container.
type podNames struct {
	pod, namespace, container string
}

// nodeFiles finds the names of containers and pods in files that kubelet and
// the runtimes keep on the node: no socket of a runtime is needed.
type nodeFiles struct {
	root  string // "" or, in tests, where the node's root is
	logs  map[string]podNames
	pods  map[string]podNames
	read  time.Time
	known map[containerKey]knownNames
	now   func() time.Time
	// ask, if set, finds them instead: the files are root's.
	ask func(id, runtime, podUID string) (pod, namespace, container string)
}

type containerKey struct{ id, pod string }

// knownNames is what was found; names that were not found are looked for again after a
// while, because a runtime may write its files after the container's first connection.
type knownNames struct {
	podNames
	until time.Time // zero: for ever
}

// containersMax bounds the remembered names; a host has fewer containers.
const containersMax = 4096

// lookAgain is after how long names that were not found are looked for again.
const lookAgain = 5 * time.Second

func newNodeFiles(root string) *nodeFiles {
	return &nodeFiles{root: root, known: map[containerKey]knownNames{}, now: time.Now}
}

// NodeNames returns what finds the names of a container and its pod in files of this
// node, by one goroutine at a time.
func NodeNames() func(id, runtime, podUID string) (pod, namespace, container string) {
	n := newNodeFiles("")
	return func(id, runtime, podUID string) (pod, namespace, container string) {
		names := n.find(&model.Container{ID: id, Runtime: runtime}, podUID)
		return names.pod, names.namespace, names.container
	}
}

// name fills in what is known about the container and the pod.
func (n *nodeFiles) name(c *model.Container, k *model.K8s) {
	if c.ID == "" && k.Pod.UID == "" {
		return
	}
	key := containerKey{c.ID, k.Pod.UID}
	names, ok := n.known[key]
	if !ok || !names.until.IsZero() && n.now().After(names.until) {
		names = knownNames{podNames: n.find(c, k.Pod.UID)}
		if names.container == "" {
			names.until = n.now().Add(lookAgain)
		}
		if len(n.known) >= containersMax {
			clear(n.known)
		}
		n.known[key] = names
	}
	c.Name = names.container
	if k.Pod.UID != "" {
		k.Pod.Name, k.Namespace.Name, k.Container.Name = names.pod, names.namespace, names.container
	}
}

// find looks into the files.
func (n *nodeFiles) find(c *model.Container, podUID string) podNames {
	if n.ask != nil {
		var names podNames
		names.pod, names.namespace, names.container = n.ask(c.ID, c.Runtime, podUID)
		return names
	}
	if podUID == "" {
		return podNames{container: n.dockerName(c)}
	}
	names, ok := n.logs[c.ID]
	if !ok && n.now().Sub(n.read) >= logsEvery {
		n.read = n.now()
		n.readLogs()
		names, ok = n.logs[c.ID]
	}
	if !ok {
		names, ok = bundleNames(n.root, c)
	}
	if !ok {
		names = n.pods[podUID]
	}
	return names
}

// readLogs reads two directories of kubelet: /var/log/containers has links
// POD_NAMESPACE_CONTAINER-ID.log, /var/log/pods has NAMESPACE_POD_UID.
func (n *nodeFiles) readLogs() {
	n.logs, n.pods = map[string]podNames{}, map[string]podNames{}
	for _, name := range fileNames(n.root + "/var/log/containers") {
		parts := strings.Split(strings.TrimSuffix(name, ".log"), "_")
		if len(parts) != 3 {
			continue
		}
		dash := strings.LastIndexByte(parts[2], '-')
		if dash < 0 || !isContainerID(parts[2][dash+1:]) {
			continue
		}
		n.logs[parts[2][dash+1:]] = podNames{pod: parts[0], namespace: parts[1], container: parts[2][:dash]}
	}
	for _, name := range fileNames(n.root + "/var/log/pods") {
		if parts := strings.Split(name, "_"); len(parts) == 3 {
			n.pods[parts[2]] = podNames{pod: parts[1], namespace: parts[0]}
		}
	}
}

// fileNames returns the names in a directory, up to a bound.
func fileNames(path string) []string {
	d, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, err := d.Readdirnames(cgroupsMax)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return names
}

// bundleNames reads the OCI bundle that containerd or CRI-O keep in /run.
func bundleNames(root string, c *model.Container) (podNames, bool) {
	if !isContainerID(c.ID) {
		return podNames{}, false
	}
	for _, path := range []string{
		"/run/containerd/io.containerd.runtime.v2.task/k8s.io/" + c.ID + "/config.json",
		"/run/containers/storage/overlay-containers/" + c.ID + "/userdata/config.json",
	} {
		var bundle struct {
			Annotations map[string]string `json:"annotations"`
		}
		if readJSON(root+path, &bundle) != nil {
			continue
		}
		first := func(keys ...string) string {
			for _, key := range keys {
				if v := bundle.Annotations[key]; v != "" {
					return v
				}
			}
			return ""
		}
		names := podNames{
			pod:       first("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"),
			namespace: first("io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"),
			container: first("io.kubernetes.cri.container-name", "io.kubernetes.container.name"),
		}
		return names, names.pod != ""
	}
	return podNames{}, false
}

// dockerName returns the name of a container of Docker, or "".
func (n *nodeFiles) dockerName(c *model.Container) string {
	if !isContainerID(c.ID) || c.Runtime != "docker" {
		return ""
	}
	var config struct{ Name string }
	path := filepath.Join(n.root, "/var/lib/docker/containers", c.ID, "config.v2.json")
	if readJSON(path, &config) != nil {
		return ""
	}
	return strings.TrimPrefix(config.Name, "/")
}

// jsonMax bounds what is read of a runtime's file.
const jsonMax = 4 << 20

func readJSON(path string, into any) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return json.NewDecoder(io.LimitReader(file, jsonMax)).Decode(into)
}
