//go:build linux

package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/closetrace/closetrace/internal/procstat"
)

// startTick is the unit of start times in /proc, in nanoseconds.
const startTick = uint64(procstat.Tick)

// program identifies a process that runs one program: a reused PID has another
// start time, and exec sets another name, which the new program may set back: the
// kernel's count of execs shows that.
type program struct {
	pid   int
	start uint64 // in ticks since boot
	name  string
	execs uint64 // see Options.Execs
}

func (opts *Options) execs(pid int) uint64 {
	if opts.Execs == nil {
		return 0
	}
	return opts.Execs(pid)
}

// runs reports whether p is what runs under its PID now.
func (p program) runs(opts *Options) bool {
	now, ok := programNow(p.pid)
	now.execs = p.execs
	return ok && now == p && (opts.Execs == nil || opts.Execs(p.pid) == p.execs)
}

// programNow returns what runs under a PID at this moment.
func programNow(pid int) (program, bool) {
	text, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return program{}, false
	}
	stat, ok := procstat.Parse(text)
	return program{pid: pid, start: stat.Start, name: stat.Name}, ok
}

// Parents returns the parent of each process of this PID namespace.
func Parents() map[int]int {
	all := map[int]int{}
	for _, name := range fileNames("/proc") {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if text, err := os.ReadFile(procPath(pid, "stat")); err == nil {
			stat, _ := procstat.Parse(text)
			all[pid] = stat.Parent
		}
	}
	return all
}

// initialPIDNamespace is PROC_PID_INIT_INO of include/linux/proc_ns.h.
const initialPIDNamespace = "4026531836"

// InNamespace reports whether this process is in a PID namespace other than the host's:
// PIDs in the kernel's messages differ from its own there.
func InNamespace() bool {
	link, err := os.Readlink("/proc/self/ns/pid")
	return err == nil && !strings.HasSuffix(link, ":["+initialPIDNamespace+"]")
}

// details is what only /proc knows about a process.
type details struct {
	executable  string
	script      string
	commandLine string
	memberships
}

// read returns the details of p, if p still runs. What was read while another program
// took its place is discarded.
func (p program) read(opts *Options) (details, bool) {
	if !p.runs(opts) {
		return details{}, false
	}
	var d details
	if path, err := os.Readlink(procPath(p.pid, "exe")); err == nil { // needs ptrace access
		d.executable = path
	} else if opts.Reader != nil && errors.Is(err, fs.ErrPermission) {
		d.executable, _ = opts.Reader.Executable(p.pid)
	}
	arguments := argumentsOf(p.pid)
	d.script = scriptOf(arguments)
	if opts.CommandLine {
		d.commandLine = strings.Join(arguments, " ")
	}
	d.memberships = cgroupsOf(p.pid)
	return d, p.runs(opts)
}

// commandLineMax bounds a command line in a record.
const commandLineMax = 4096

func argumentsOf(pid int) []string {
	file, err := os.Open(procPath(pid, "cmdline"))
	if err != nil {
		return nil
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, commandLineMax)) // there may be 6 MB
	if err != nil {
		return nil
	}
	text = bytes.TrimRight(text, "\x00")
	return strings.Split(string(text), "\x00")
}

func procPath(pid int, name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }
