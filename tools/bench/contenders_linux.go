package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// contender is a tracer, or none.
type contender struct {
	name string
	// command gets a file for its output; nil is no tracer.
	command func(output string) []string
	// ours: closetrace. Its losses and programs are read from the kernel.
	ours bool
	// extension of the output file that the program makes itself; where it is
	// empty the output comes on standard output.
	extension string
	terminal  bool // it draws on a terminal, and writes no lines
	discards  bool // its lines go to /dev/null
	counts    bool // ordinary ends have no line
	inside    bool // it must run in the namespace; others trace the whole host
	tracefs   bool // it needs tracefs mounted
	// packets: it sees segments, not ends.
	packets bool
	// marks are in each line that reports one end of the generator's.
	marks []string
}

const (
	ready    = `"kind":"start"`
	teardown = `"kind":"teardown"`
	counts   = `"kind":"counts"`
)

// contenders returns none, closetrace's ways to run, and what is installed of
// other tools.
func contenders(s *settings, only *regexp.Regexp) []contender {
	var all []contender
	for _, c := range append(closetraces(s), peers()...) {
		if c.command == nil || only.MatchString(c.name) && installed(c.command("")[0]) {
			all = append(all, c)
		}
	}
	return all
}

func closetraces(s *settings) []contender {
	own := func(program string, arguments ...string) []string {
		ring := []string{"--ring-size", strconv.Itoa(s.ring)}
		if s.open > 0 {
			ring = append(ring, "--max-connections", strconv.Itoa(65536+3*s.open))
		}
		return append(append([]string{program}, arguments...), ring...)
	}
	file := func(program, name, extension string, more ...string) contender {
		return contender{
			name: name, ours: true, extension: extension, marks: []string{teardown, serverNet},
			command: func(output string) []string {
				return own(program, append([]string{"record", "--force", "--output", output + extension}, more...)...)
			},
		}
	}
	abnormal := file(s.closetrace, "closetrace record --abnormal", ".jsonl", "--abnormal")
	abnormal.counts = true
	all := []contender{
		{name: "none"},
		file(s.closetrace, "closetrace record", ".jsonl"),
		file(s.closetrace, "closetrace record .zst", ".jsonl.zst"),
		abnormal,
		{name: "closetrace record, /dev/null", ours: true, discards: true, command: func(string) []string {
			return own(s.closetrace, "record", "--force", "--output", "/dev/null")
		}},
		{name: "closetrace live", ours: true, terminal: true, command: func(string) []string { return own(s.closetrace, "live") }},
	}
	if s.before != "" {
		all = append(all, file(s.before, "closetrace record before", ".jsonl"))
	}
	return all
}

// bpftraceScript is what one would write by hand: a line for each end.
const bpftraceScript = `tracepoint:sock:inet_sock_set_state /args->protocol == 6 && args->newstate == 7/ {
	printf("END %d %s %s:%d %s:%d %d\n", pid, comm, ntop(args->family, args->saddr), args->sport, ntop(args->family, args->daddr), args->dport, args->oldstate);
}`

// finOrReset is the segments that end a connection, for tcpdump.
const finOrReset = "tcp[tcpflags] & (tcp-fin|tcp-rst) != 0"

func peers() []contender {
	fixed := func(command ...string) func(string) []string {
		return func(string) []string { return command }
	}
	return []contender{
		{name: "bpftrace script", tracefs: true, marks: []string{"END ", serverNet}, command: fixed("bpftrace", "-e", bpftraceScript)},
		// A newer one beside that of the distribution, if there is a command of that name.
		{name: "bpftrace script, newer", tracefs: true, marks: []string{"END ", serverNet}, command: fixed("bpftrace-newer", "-e", bpftraceScript)},
		{name: "tcplife (libbpf)", tracefs: true, marks: []string{serverNet}, command: fixed("tcplife")},
		{name: "tcpstates (libbpf)", tracefs: true, marks: []string{"-> CLOSE ", serverNet}, command: fixed("tcpstates")},
		{name: "tcpdump, text", inside: true, packets: true, marks: []string{"Flags", serverNet}, command: fixed("tcpdump", "-l", "-i", "lo", "-n", finOrReset)},
		{name: "tcpdump -w", inside: true, packets: true, extension: ".pcap", command: func(output string) []string {
			return []string{"tcpdump", "-i", "lo", "-Z", "root", "-w", output + ".pcap", finOrReset}
		}},
		{name: "tshark, text", inside: true, packets: true, marks: []string{serverNet}, command: fixed("tshark", "-l", "-i", "lo", "-n", "-f", finOrReset)},
		{name: "ss -E", inside: true, marks: []string{":"}, command: fixed("ss", "-tnHE")},
	}
}

// accounts reports whether each of the generator's ends is in a recording that c made.
func (c *contender) accounts() bool { return c.ours && !c.terminal && !c.discards }

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// expected is how many lines or packets the generator's load makes.
func (c *contender) expected(l *load) float64 {
	if c.packets {
		return float64(l.Connections) * segments[l.Mode]
	}
	return float64(l.Connections) * 2
}

// wrap makes the command run in the namespace of process pid and with tracefs.
func (c *contender) wrap(command []string, pid int) []string {
	if c.inside {
		command = append([]string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", pid)}, command...)
	}
	if c.tracefs {
		const mounts = `mount -t debugfs none /sys/kernel/debug; mount -t tracefs none /sys/kernel/tracing; exec "$@"`
		command = append([]string{"sh", "-c", mounts, "sh"}, command...)
	}
	return command
}
