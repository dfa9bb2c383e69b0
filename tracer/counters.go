//go:build linux

package tracer

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

const (
	countEvery = time.Second
	// countFor is how long a namespace is read after its last end.
	countFor = 5 * time.Minute
	// countMax bounds how many are read each second.
	countMax = 64

	self         = "/proc/self"
	countersFile = "/net/netstat"
)

// counted are the counters of events that no socket shows, by the names that nstat
// prints.
var counted = map[string]bool{
	"TcpExtListenOverflows": true, "TcpExtListenDrops": true, "TcpExtEmbryonicRsts": true,
	"TcpExtTCPReqQFullDrop": true, "TcpExtTCPReqQFullDoCookies": true,
	"TcpExtSyncookiesSent": true, "TcpExtSyncookiesRecv": true, "TcpExtSyncookiesFailed": true,
	"TcpExtTCPTimeWaitOverflow": true, "TcpExtTCPMemoryPressures": true, "TcpExtTCPAbortOnMemory": true,
	"TcpExtTCPAbortFailed": true, "TcpExtTCPOFOQueue": true, "TcpExtPruneCalled": true,
	"TcpExtRcvPruned": true, "TcpExtOfoPruned": true, "TcpExtTCPBacklogDrop": true, "TcpExtTCPRcvQDrop": true,
	"TcpExtOutOfWindowIcmps": true, "TcpExtLockDroppedIcmps": true,
	"TcpExtPAWSActive": true, "TcpExtPAWSEstab": true, "TcpExtTCPACKSkippedPAWS": true,
	"IpOutNoRoutes": true, "Ip6OutNoRoutes": true,
	oomKills:           true,
	"ConntrackInvalid": true, "ConntrackInsertFailed": true, "ConntrackDrop": true, "ConntrackEarlyDrop": true,
}

// oomKills counts processes that the OOM killer has killed, in all control groups (since
// 4.13: mm/vmstat.c, OOM_KILL). It counts the whole host, and is reported with the
// counters of our own namespace, or of the only one that is traced.
const oomKills = "VmstatOomKill"

// routine moves whenever segments overtake each other: alone it is not worth a report.
const routine = "TcpExtTCPOFOQueue"

// namespace is a network namespace with traced ends. It is read through a process that
// is in it: an open file would keep it alive.
type namespace struct {
	number uint32
	own    bool
	host   bool      // what the host counts is reported with it
	pid    uint32    // of that process; 0 if none is known
	met    [4]uint32 // the last ones that had a socket in it: clients end before they are asked
	inode  uint64    // of its counters in /proc, once known
	seen   ktime     // its last end
	before map[string]uint64
	at     ktime // when before was read
}

// namespaces reads the counters of the namespaces in which traced ends happen.
type namespaces struct {
	only  uint32 // 0: all
	own   uint64 // inode of our own counters in /proc
	known map[uint32]*namespace
	last  *namespace // of the latest end: most come in runs
	at    ktime
}

func newNamespaces(only uint32, now ktime) *namespaces {
	n := &namespaces{only: only, known: map[uint32]*namespace{}, at: now}
	n.own = inodeOf(self + countersFile)
	if own := namespaceOf(self); own != 0 && (only == 0 || only == own) {
		n.known[own] = &namespace{number: own, own: true, host: true, seen: 1<<63 - 1}
		n.known[own].read(self, now)
	}
	n.survey(now)
	return n
}

// survey reads the counters of the namespaces that processes are in, so that what is
// counted before the first end in one of them is reported, too.
func (n *namespaces) survey(now ktime) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, entry := range entries {
		pid, err := strconv.ParseUint(entry.Name(), 10, 32)
		if err != nil {
			continue
		}
		proc := "/proc/" + entry.Name()
		number := namespaceOf(proc)
		if number == 0 || n.known[number] != nil || len(n.known) >= countMax || n.only != 0 && number != n.only {
			continue
		}
		s := &namespace{number: number, host: n.only != 0, pid: uint32(pid), seen: now}
		s.read(proc, now)
		n.known[number] = s
	}
}

// namespaceOf returns the inode number of a process's network namespace, or 0.
func namespaceOf(proc string) uint32 { return uint32(inodeOf(proc + "/ns/net")) }

func inodeOf(path string) uint64 {
	var s unix.Stat_t
	if unix.Stat(path, &s) != nil {
		return 0
	}
	return s.Ino
}

// procOf returns the folder of the process through which s is read, or "": the same as long
// as it lives. The link to a
// process's namespace is closed to a trace that gave up its capabilities. Then the file
// of counters identifies it: each namespace has one of its own, and if it is neither ours
// nor that of another number, it is taken for that of the socket.
func (n *namespaces) procOf(s *namespace) string {
	if s.own {
		return self
	}
	for _, pid := range append([]uint32{s.pid}, s.met[:]...) {
		if proc := n.procIn(s, pid); proc != "" {
			s.pid = pid
			return proc
		}
	}
	return ""
}

// procIn returns the folder of a process if it is in s.
func (n *namespaces) procIn(s *namespace, pid uint32) string {
	if pid == 0 {
		return ""
	}
	proc := "/proc/" + strconv.Itoa(int(pid))
	if number := namespaceOf(proc); number != 0 {
		if number == s.number {
			return proc
		}
		return ""
	}
	inode := inodeOf(proc + countersFile)
	if inode == 0 || inode == n.own || s.inode != 0 && inode != s.inode {
		return ""
	}
	for _, other := range n.known {
		if other != s && other.inode == inode {
			return ""
		}
	}
	s.inode = inode
	return proc
}

// meet notes a process that had a socket in a namespace; often it is in it.
func (n *namespaces) meet(number, pid uint32, at ktime) {
	if number == 0 || pid == 0 || n.only != 0 && number != n.only {
		return
	}
	s := n.last
	if s == nil || s.number != number {
		if s = n.known[number]; s == nil {
			if len(n.known) >= countMax {
				return
			}
			s = &namespace{number: number, host: n.only != 0}
			n.known[number] = s
		}
		n.last = s
	}
	if at > s.seen { // not our own
		s.seen = at
	}
	if s.met[0] != pid && !s.own {
		copy(s.met[1:], s.met[:])
		s.met[0] = pid
	}
}

// report emits what moved, at most once a second.
func (n *namespaces) report(now ktime, c *clock, out emit) {
	if time.Duration(now-n.at) < countEvery {
		return
	}
	n.at = now
	for _, number := range slices.Sorted(maps.Keys(n.known)) {
		s := n.known[number]
		if time.Duration(now-s.seen) > countFor {
			delete(n.known, number)
			n.last = nil
			continue
		}
		since := s.at
		proc := n.procOf(s)
		if proc == "" {
			continue
		}
		moved := s.read(proc, now)
		if len(moved) > 0 && !out(&model.Event{Record: model.Record{Kind: model.KindCounters, Counters: model.Counters{
			Time: c.time(now), Network: model.Network{NetNS: number},
			Interval: time.Duration(now - since), Counts: moved,
		}}}) {
			return
		}
	}
}

// read returns what moved since the last time; nothing at the first one.
func (s *namespace) read(proc string, now ktime) map[string]uint64 {
	counts, err := readCounts(proc, s.host)
	if err != nil {
		return nil // the process has ended: another one will come
	}
	before := s.before
	moved, again := difference(before, counts)
	if before != nil && !again && !isNews(moved) {
		return nil
	}
	s.before, s.at = counts, now
	if before == nil || again {
		return nil
	}
	return moved
}

// difference returns what moved, and whether a counter went back: then another namespace
// has got the number.
func difference(before, after map[string]uint64) (moved map[string]uint64, again bool) {
	moved = map[string]uint64{}
	for name, count := range after {
		if old := before[name]; count > old {
			moved[name] = count - old
		} else if count < old {
			return nil, true
		}
	}
	return moved, false
}

func isNews(moved map[string]uint64) bool {
	return len(moved) > 1 || len(moved) == 1 && moved[routine] == 0
}

// readCounts reads what a namespace counted, and for one of them what the host did.
func readCounts(proc string, host bool) (map[string]uint64, error) {
	counts := map[string]uint64{}
	for _, file := range []string{"netstat", "snmp"} {
		text, err := os.ReadFile(proc + "/net/" + file)
		if err != nil {
			return nil, fmt.Errorf("read counters: %w", err)
		}
		parseCounts(text, counts)
	}
	if text, err := os.ReadFile(proc + "/net/snmp6"); err == nil { // absent without IPv6
		parsePairs(text, counts)
	}
	if text, err := os.ReadFile("/proc/vmstat"); err == nil && host {
		if _, rest, found := strings.Cut(string(text), "\noom_kill "); found {
			value, _, _ := strings.Cut(rest, "\n")
			keep(counts, oomKills, value, 10)
		}
	}
	if text, err := os.ReadFile(proc + "/net/stat/nf_conntrack"); err == nil {
		parseConntrack(text, counts)
	}
	return counts, nil
}

func keep(counts map[string]uint64, name, value string, base int) {
	if !counted[name] {
		return
	}
	if n, err := strconv.ParseUint(value, base, 64); err == nil {
		counts[name] += n
	}
}

// parseCounts reads lines of names, each with a line of values.
func parseCounts(text []byte, counts map[string]uint64) {
	lines := bytes.Split(text, []byte("\n"))
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(string(lines[i])), strings.Fields(string(lines[i+1]))
		if len(names) == 0 || len(values) < len(names) {
			continue
		}
		prefix := strings.TrimSuffix(names[0], ":")
		for j := 1; j < len(names); j++ {
			keep(counts, prefix+names[j], values[j], 10)
		}
	}
}

// parsePairs reads lines of a name and a value.
func parsePairs(text []byte, counts map[string]uint64) {
	for line := range strings.Lines(string(text)) {
		if pair := strings.Fields(line); len(pair) == 2 {
			keep(counts, pair[0], pair[1], 10)
		}
	}
}

// parseConntrack reads a line of names and one of hexadecimal values for each
// processor.
func parseConntrack(text []byte, counts map[string]uint64) {
	lines := strings.Split(string(text), "\n")
	names := map[string]string{
		"invalid": "ConntrackInvalid", "insert_failed": "ConntrackInsertFailed",
		"drop": "ConntrackDrop", "early_drop": "ConntrackEarlyDrop",
	}
	head := strings.Fields(lines[0])
	for _, line := range lines[1:] {
		values := strings.Fields(line)
		for i := 0; i < min(len(head), len(values)); i++ {
			keep(counts, names[head[i]], values[i], 16)
		}
	}
}
