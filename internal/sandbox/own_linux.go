package sandbox

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// Of the numbers that systemd gives to users who exist while a service runs: distributions
// give them to nobody (systemd, docs/UIDS-GIDS.md).
const firstOwnID, lastOwnID = 61184, 65519

// ownIdentity returns a number that no user and no process has. As nobody a trace could be
// stopped by every daemon that runs as nobody too.
func ownIdentity() (Identity, bool) {
	running := usersOfProcesses()
	for range 64 {
		id := firstOwnID + rand.IntN(lastOwnID-firstOwnID+1) // #nosec G404 -- it is no secret
		name := strconv.Itoa(id)
		_, noUser := user.LookupId(name)
		_, noGroup := user.LookupGroupId(name)
		if noUser != nil && noGroup != nil && !running[uint32(id)] && mapped("uid", id) && mapped("gid", id) {
			return Identity{Name: name, UID: id, GID: id, Home: "/"}, true
		}
	}
	return Identity{}, false
}

// usersOfProcesses are the users whose processes can be seen.
func usersOfProcesses() map[uint32]bool {
	users := map[uint32]bool{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			if stat, ok := info.Sys().(*syscall.Stat_t); ok {
				users[stat.Uid] = true
			}
		}
	}
	return users
}

// mapped reports whether the user namespace has a number.
func mapped(kind string, id int) bool {
	text, err := os.ReadFile("/proc/self/" + kind + "_map")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		var first, outside, count int
		if _, err := fmt.Sscan(line, &first, &outside, &count); err == nil && id >= first && id-first < count {
			return true
		}
	}
	return false
}
