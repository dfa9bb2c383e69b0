// Package procstat reads /proc/PID/stat (proc_pid_stat(5)).
package procstat

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// Tick is the unit of start times: USER_HZ is 100 on every architecture that
// closetrace runs on.
const Tick = time.Second / 100

// Stat is what is read of the file.
type Stat struct {
	Name   string
	State  byte   // R, S, D, T, Z, X and so on
	Parent int    // PID; 0 is that of a process without one
	CPU    uint64 // in ticks, in user space and in the kernel, of all threads
	Start  uint64 // in ticks since boot
	// Exiting: it has begun to end (PF_EXITING), or has ended.
	Exiting bool
}

// The fields after the name, of which the first is number 3 in proc(5).
const (
	state  = 0
	parent = 4 - 3
	flags  = 9 - 3
	utime  = 14 - 3
	stime  = 15 - 3
	start  = 22 - 3
)

// exiting is PF_EXITING (include/linux/sched.h).
const exiting = 4

// Parse reads the text of the file. The name may hold anything, blanks and
// parentheses included, but nothing after it holds a parenthesis.
func Parse(text []byte) (Stat, bool) {
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return Stat{}, false
	}
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) <= start {
		return Stat{}, false
	}
	s := Stat{Name: string(text[open+1 : end]), State: fields[state][0]}
	var errs [5]error
	var user, system, marks uint64
	s.Parent, errs[0] = strconv.Atoi(fields[parent])
	user, errs[1] = strconv.ParseUint(fields[utime], 10, 64)
	system, errs[2] = strconv.ParseUint(fields[stime], 10, 64)
	s.Start, errs[3] = strconv.ParseUint(fields[start], 10, 64)
	marks, errs[4] = strconv.ParseUint(fields[flags], 10, 64)
	s.CPU, s.Exiting = user+system, marks&exiting != 0
	return s, errs == [5]error{}
}

// Ended reports whether the process has ended and only waits for its parent, or
// not even that (proc_pid_stat(5): Z, X, x).
func (s *Stat) Ended() bool { return strings.IndexByte("ZXx", s.State) >= 0 }
