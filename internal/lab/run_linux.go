package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/privilege"
)

const (
	// agentPrefix begins the role of an actor; other roles are names of scenarios.
	agentPrefix = "agent:"
	resultFD    = 3

	// exitRefused is the exit code of a missing privilege.
	exitRefused = 3
)

// Main plays a scenario and exits, if this process was started by [Run] for
// that. Otherwise it does nothing. Programs that use Run call it first, tests
// in TestMain.
func Main() { MainObserved(nil) }

// MainObserved is [Main] with somebody who looks at each connection end before
// it is closed.
func MainObserved(observe Observer) {
	role, ok := roleOf(os.Args)
	if !ok {
		return
	}
	// An agent does whatever its channel asks for. Whoever may execute a file
	// with capabilities must not get them for that.
	if privilege.Borrowed() {
		fmt.Fprintln(os.Stderr, "lab: refused: the capabilities of this process are those of its file; run it as root")
		os.Exit(exitRefused)
	}
	if name, ok := strings.CutPrefix(role, agentPrefix); ok {
		serveAgent(name)
	}
	os.Exit(playNamed(role, observe))
}

func playNamed(name string, observe Observer) (code int) {
	// Standard input ends when the parent has opened the namespace.
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "lab: wait for parent:", err)
		return 1
	}
	for _, sc := range Scenarios() {
		if sc.Name != name {
			continue
		}
		result := Result{Name: sc.Name, Group: sc.Group}
		play(&sc, &result, observe)
		if err := json.NewEncoder(os.NewFile(resultFD, "result")).Encode(&result); err != nil {
			fmt.Fprintln(os.Stderr, "lab:", err)
			return 1
		}
		return 0
	}
	fmt.Fprintf(os.Stderr, "lab: no scenario %q\n", name)
	return 1
}

// childEnv is all that a process of the lab gets to know. Without asynchronous
// preemption no signal of the Go runtime ends a wait of close().
func childEnv() []string {
	env := []string{"GODEBUG=asyncpreemptoff=1", "GOTRACEBACK=all"}
	if folder := os.Getenv(CaptureEnv); folder != "" {
		env = append(env, CaptureEnv+"="+folder, "PATH="+os.Getenv("PATH"))
	}
	return env
}

// scenarioTimeout bounds one scenario, on a slow emulated processor too.
const scenarioTimeout = 4 * time.Minute

// Run plays the scenarios, at most parallel at a time, and returns a result
// for each, in order. The error says that the lab cannot run here at all, or
// that ctx is done; what went wrong in a scenario is in its result. No process
// and no namespace of the lab outlives Run.
func Run(ctx context.Context, scenarios []Scenario, parallel int) ([]Result, error) {
	return RunAgain(ctx, scenarios, parallel, func(*Result) bool { return false })
}

// mostTimes is how often RunAgain plays a scenario at most.
const mostTimes = 5

// RunAgain is [Run] with somebody who says, from several goroutines and as soon
// as a scenario is over, whether the host disturbed it. It is then played again
// in another namespace, and the result is that of the last time.
func RunAgain(ctx context.Context, scenarios []Scenario, parallel int, again func(*Result) bool) ([]Result, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("make network namespaces: %w: run as root", fs.ErrPermission)
	}
	if err := checkMain(); err != nil {
		return nil, err
	}
	results := make([]Result, len(scenarios))
	namespaces := make([][]*os.File, len(scenarios))
	slots := make(chan struct{}, max(parallel, 1))
	var wait sync.WaitGroup
	for i := range scenarios {
		if needsAlone(&scenarios[i]) {
			continue
		}
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			for range mostTimes {
				var ns *os.File
				results[i], ns = runOne(ctx, &scenarios[i])
				namespaces[i] = append(namespaces[i], ns)
				if !again(&results[i]) {
					return
				}
			}
		})
	}
	wait.Wait()
	for i := range scenarios {
		if needsAlone(&scenarios[i]) {
			var ns *os.File
			results[i], ns = runAlone(ctx, &scenarios[i])
			namespaces[i] = append(namespaces[i], ns)
		}
	}
	for _, ns := range slices.Concat(namespaces...) {
		if ns != nil {
			_ = ns.Close()
		}
	}
	return results, ctx.Err()
}

// runOne plays one scenario in its own process and network namespace. The
// namespace is returned open, because the kernel gives the inode number of a
// namespace that is gone to the next one.
func runOne(ctx context.Context, sc *Scenario) (result Result, ns *os.File) {
	result = Result{Name: sc.Name, Group: sc.Group}
	ctx, cancel := context.WithTimeout(ctx, scenarioTimeout)
	defer cancel()
	if err := playInChild(ctx, sc, &result, &ns); err != nil {
		result.Error = err.Error()
	}
	return result, ns
}

func playInChild(ctx context.Context, sc *Scenario, result *Result, ns **os.File) error {
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	defer read.Close()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "/proc/self/exe", roleArgument, sc.Name) // #nosec G204 -- the lab starts this program or tcpdump, with arguments of its own
	cmd.Env = childEnv()
	cmd.Stderr = &stderr
	cmd.ExtraFiles = []*os.File{write}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 10 * time.Second
	start, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	_ = write.Close()
	if err != nil {
		return fmt.Errorf("start scenario: %w", err)
	}
	*ns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
	_ = start.Close()
	text, readErr := io.ReadAll(read)
	if err := errors.Join(err, readErr, cmd.Wait()); err != nil {
		return fmt.Errorf("play scenario: %w\n%s", err, stderr.Bytes())
	}
	if err := json.Unmarshal(text, result); err != nil {
		return fmt.Errorf("read result: %w\n%s", err, stderr.Bytes())
	}
	return nil
}

// loopback brings lo up or down in the process's namespace.
func loopback(up bool) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if up {
		lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	}
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

func inode(info fs.FileInfo) uint32 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint32(stat.Ino)
	}
	return 0
}
