package etwsrc

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// prefix begins the names of all sessions of closetrace. What follows names the
// process, so that a session that a crash left behind is known (sessions
// outlive their programs), and a random number: nobody can take the name.
const prefix = "closetrace-"

// sessionName is prefix, PID, when the process began, random.
func sessionName(pid uint32, began, random uint64) string {
	return fmt.Sprintf("%s%d-%x-%08x", prefix, pid, began, random&0xFFFFFFFF)
}

// parseName is the inverse, without the random number.
func parseName(name string) (pid uint32, began uint64, ok bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	parts := strings.Split(rest, "-")
	if !ok || len(parts) != 3 {
		return 0, 0, false
	}
	n, err1 := strconv.ParseUint(parts[0], 10, 32)
	began, err2 := strconv.ParseUint(parts[1], 16, 64)
	return uint32(n), began, err1 == nil && err2 == nil
}

// removeOrphans stops the sessions of processes that have ended. It is no
// failure that one can't be stopped.
func removeOrphans(sys system) {
	names, _ := sys.sessions()
	for _, name := range names {
		if pid, began, ok := parseName(name); ok && !sys.running(pid, began) {
			sys.stop(name)
		}
	}
}

// begin starts the session under a name that is free.
func begin(sys system, room buffers) (name string, handle uint64, err error) {
	pid, began := sys.self()
	var code uint32
	for range 8 {
		name = sessionName(pid, began, rand.Uint64()) // #nosec G404 -- a name that is not taken, no secret
		if handle, code = sys.start(name, room); code != codeAlreadyExists {
			break
		}
	}
	switch {
	case code != 0:
		return "", 0, explain("start ETW session", code)
	case handle == 0:
		return "", 0, explain("start ETW session", codeCallNotThere)
	}
	return name, handle, nil
}
