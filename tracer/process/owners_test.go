//go:build linux

package process

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer/process/processtest"
)

func TestParseMemberships(t *testing.T) {
	text := "13:memory:/docker/x\n4:cpu,cpuacct:/docker/y\n1:name=systemd:/system.slice/a:b.service\n0::/system.slice/z.service (deleted)\nrubbish\n"
	got := parseMemberships(text)
	want := memberships{unified: "/system.slice/z.service", legacy: []string{"/system.slice/a:b.service", "/docker/x", "/docker/y"}, memory: "/docker/x"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("parseMemberships = %+v, want %+v", got, want)
	}
}

func TestMain(m *testing.M) {
	processtest.Main()
	os.Exit(m.Run())
}

// sleeper starts a process that does nothing and returns it as the kernel's
// messages do.
func sleeper(t *testing.T, c *exec.Cmd) (pid int, started uint64) {
	t.Helper()
	pid = processtest.Sleeper(t, c)
	// What /proc cuts off is added.
	return pid, processtest.StartTicks(t, pid)*startTick + 1234
}

func factsOf(pid int, name string) model.Facts {
	var f model.Facts
	f.Process.PID, f.Process.Name, f.Process.User.ID = pid, name, model.Some(uint32(0))
	return f
}

func TestDescribeTellsOnlyOfTheSameProgram(t *testing.T) {
	pid, started := sleeper(t, &exec.Cmd{Args: []string{"--password", "secret"}})
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what    string
		name    string
		started uint64
		want    string
	}{
		{"the process", processtest.SleeperName, started, executable},
		{"an older process with its PID", processtest.SleeperName, started - startTick, ""},
		{"a newer process with its PID", processtest.SleeperName, started + startTick, ""},
		{"the program it ran before exec", "bash", started, ""},
		{"a PID without a start time", processtest.SleeperName, 0, ""},
	} {
		for range 2 { // read, then remembered
			f := factsOf(pid, c.name)
			NewOwners(Options{}).Describe(&f, c.started, 0, 0)
			if got := f.Process.Executable.Path; got != c.want {
				t.Errorf("executable of %s is %q, want %q", c.what, got, c.want)
			}
			if f.Process.CommandLine != "" {
				t.Errorf("command line %q without being asked for", f.Process.CommandLine)
			}
		}
	}
	f := factsOf(pid, processtest.SleeperName)
	NewOwners(Options{CommandLine: true}).Describe(&f, started, 0, 0)
	if want := "/proc/self/exe --password secret"; f.Process.CommandLine != want {
		t.Errorf("command line is %q, want %q", f.Process.CommandLine, want)
	}
}

// TestDescribeRemembers: a process that has gone is still described by what
// was read while it ran, but only if its start time is right.
func TestDescribeRemembers(t *testing.T) {
	var o *Owners
	var pid int
	var started uint64
	t.Run("while it runs", func(t *testing.T) {
		pid, started = sleeper(t, &exec.Cmd{})
		o = NewOwners(Options{}) // meets all processes
	})
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := factsOf(pid, processtest.SleeperName)
	if o.Describe(&f, started, 0, 0); f.Process.Executable.Path != executable {
		t.Errorf("executable of a process that has gone is %q, want %q", f.Process.Executable.Path, executable)
	}
	f = factsOf(pid, processtest.SleeperName)
	if o.Describe(&f, started+startTick, 0, 0); f.Process.Executable.Path != "" {
		t.Errorf("executable of a reused PID is %q, want none", f.Process.Executable.Path)
	}
}

// TestFirstProcess: the first process of a small machine starts in the first tick after
// boot; that must not be taken for an unknown start time.
func TestFirstProcess(t *testing.T) {
	o := NewOwners(Options{Lazy: true})
	o.young[program{1, 0, "init", 0}] = details{executable: "/sbin/init", memberships: memberships{unified: "/init.scope"}}
	f := factsOf(1, "init")
	if o.Describe(&f, 0, 0, 0); f.Process.Executable.Path != "" || f.Cgroup.Path != "" {
		t.Errorf("by its PID alone: %q in %q, want neither", f.Process.Executable.Path, f.Cgroup.Path)
	}
	if o.Describe(&f, 1, 0, 0); f.Process.Executable.Path != "/sbin/init" || f.Cgroup.Path != "/init.scope" {
		t.Errorf("by its start time: %q in %q, want /sbin/init in /init.scope", f.Process.Executable.Path, f.Cgroup.Path)
	}
}

// TestContainerOfLegacyGroups: with cgroup v1 the first hierarchy that names a container
// counts, and only if cgroup v2 names none.
func TestContainerOfLegacyGroups(t *testing.T) {
	for _, c := range []struct {
		groups          memberships
		container, unit string
	}{
		{memberships{legacy: []string{"/", "/docker/" + processtest.ContainerID, "/docker/" + processtest.OtherID}}, processtest.ContainerID, ""},
		{memberships{unified: "/", legacy: []string{"/docker/" + processtest.OtherID}}, processtest.OtherID, ""},
		{memberships{unified: "/system.slice/a.service", legacy: []string{"/docker/" + processtest.OtherID}}, "", "a.service"},
		{memberships{legacy: []string{"/user.slice"}}, "", ""},
	} {
		o := NewOwners(Options{Lazy: true})
		o.young[program{7, 5, "x", 0}] = details{memberships: c.groups}
		f := factsOf(7, "x")
		o.Describe(&f, 5*startTick, 0, 0)
		if f.Container.ID != c.container || f.Systemd.Unit != c.unit || f.Cgroup.Path != c.groups.unified {
			t.Errorf("%+v: container %q, unit %q, group %q", c.groups, f.Container.ID, f.Systemd.Unit, f.Cgroup.Path)
		}
	}
}

// TestUserName: for a process in a container our user table would name another user.
func TestUserName(t *testing.T) {
	root, err := user.LookupId("0")
	if err != nil {
		t.Skipf("no user table here: %v", err)
	}
	o := NewOwners(Options{Lazy: true})
	f := factsOf(1, "x")
	o.Describe(&f, 0, 0, 0)
	if f.Process.User.Name != root.Username {
		t.Errorf("user 0 is %q, want %q", f.Process.User.Name, root.Username)
	}
	o.tree.add(4711, "/docker/"+processtest.ContainerID)
	f = factsOf(1, "x")
	o.Describe(&f, 0, 4711, 0)
	if f.Container.ID != processtest.ContainerID || f.Process.User.Name != "" {
		t.Errorf("user 0 of container %q is %q, want no name", f.Container.ID, f.Process.User.Name)
	}
}

// TestProcessesThatTakeTurns: what was asked for last is at hand, and of nobody else: not
// of another process in the same slot, and not of the same PID after a restart or an exec.
func TestProcessesThatTakeTurns(t *testing.T) {
	o := NewOwners(Options{Lazy: true})
	programs := []program{{7, 5, "x", 1}, {7 + latestMax, 5, "x", 1}, {7, 6, "x", 1}, {7, 5, "y", 1}, {7, 5, "x", 2}}
	for i, p := range programs {
		o.young[p] = details{executable: strconv.Itoa(i)}
	}
	for range 2 {
		for i, p := range programs {
			for range 2 {
				if got := o.details(p).executable; got != strconv.Itoa(i) {
					t.Errorf("%+v has the executable %q, want %d", p, got, i)
				}
			}
		}
	}
}

// TestProcessInUseStays: a process that is asked for again and again is not forgotten when
// many others come, whoever displaces it at last.
func TestProcessInUseStays(t *testing.T) {
	o := NewOwners(Options{Lazy: true})
	p := program{1 << 30, 5, "x", 0}
	o.young[p] = details{executable: "/x"}
	for i := range 3 * programsMax {
		o.details(program{1<<30 + 1, uint64(i), "gone", 0})
		o.details(p)
	}
	o.details(program{1<<30 + latestMax, 1, "gone", 0}) // takes its slot
	if got := o.details(p).executable; got != "/x" {
		t.Errorf("its executable is %q, want /x", got)
	}
}

func TestOwnersAreBounded(t *testing.T) {
	o := NewOwners(Options{})
	for i := range 3 * programsMax {
		o.details(program{1 << 30, uint64(i), "gone", 0})
	}
	if n := len(o.young) + len(o.old); n > 2*programsMax {
		t.Errorf("%d processes are remembered, want at most %d", n, 2*programsMax)
	}
	for i := range 2 * cgroupsMax {
		o.tree.add(uint64(i), "/x")
	}
	if n := len(o.tree.paths); n > cgroupsMax {
		t.Errorf("%d cgroups are remembered, want at most %d", n, cgroupsMax)
	}
}

// TestNamesThatComeLater: files that are written after the first look are
// found, but not looked for with each connection.
func TestNamesThatComeLater(t *testing.T) {
	root := t.TempDir()
	now := time.Unix(1000, 0)
	n := newNodeFiles(root)
	n.now = func() time.Time { return now }
	name := func() string {
		c := model.Container{ID: processtest.OtherID, Runtime: "docker"}
		n.name(&c, &model.K8s{})
		return c.Name
	}
	if got := name(); got != "" {
		t.Errorf("name is %q before there is one", got)
	}
	folder := filepath.Join(root, "/var/lib/docker/containers", processtest.OtherID)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "config.v2.json"), []byte(`{"Name":"/late"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "" {
		t.Errorf("name is %q: it was looked for again at once", got)
	}
	now = now.Add(lookAgain + 1)
	if got := name(); got != "late" {
		t.Errorf("name is %q, want late", got)
	}
}

func TestNodeFiles(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	third := strings.Repeat("ab", 32)
	write("/var/log/containers/web-7f9c_shop_nginx-proxy-"+processtest.ContainerID+".log", "")
	write("/var/log/containers/rubbish.log", "")
	write("/var/log/pods/shop_cart-0_"+processtest.PodUID+"/x", "")
	write("/var/lib/docker/containers/"+processtest.OtherID+"/config.v2.json", `{"Name":"/database","Args":["x"]}`)
	write("/run/containerd/io.containerd.runtime.v2.task/k8s.io/"+third+"/config.json",
		`{"annotations":{"io.kubernetes.cri.sandbox-name":"p","io.kubernetes.cri.sandbox-namespace":"n","io.kubernetes.cri.container-name":"c"}}`)
	n := newNodeFiles(root)
	for _, c := range []struct {
		what      string
		container model.Container
		pod       string
		want      string // container/pod/namespace
	}{
		{"a container with a log", model.Container{ID: processtest.ContainerID}, processtest.PodUID, "nginx-proxy/web-7f9c/shop"},
		{"a container without, in a pod with logs", model.Container{ID: processtest.OtherID}, processtest.PodUID, "/cart-0/shop"},
		{"a container with a bundle", model.Container{ID: third}, processtest.StaticPodUID, "c/p/n"},
		{"a container of Docker", model.Container{ID: processtest.OtherID, Runtime: "docker"}, "", "database//"},
		{"an unknown one of Docker", model.Container{ID: processtest.ContainerID, Runtime: "docker"}, "", "//"},
		{"an id that leaves the folder", model.Container{ID: "../../x", Runtime: "docker"}, "", "//"},
		{"nothing", model.Container{}, "", "//"},
	} {
		var k model.K8s
		k.Pod.UID = c.pod
		n.name(&c.container, &k)
		if got := c.container.Name + "/" + k.Pod.Name + "/" + k.Namespace.Name; got != c.want {
			t.Errorf("%s: names are %q, want %q", c.what, got, c.want)
		}
	}
}
