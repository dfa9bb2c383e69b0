package sandbox

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// Identity is a user of this host.
type Identity struct {
	Name     string
	UID, GID int
	Home     string
}

// overflowID is nobody's number where no user has that name (kernel.overflowuid).
const overflowID = 65534

// Lookup returns the user of a name or a number.
func Lookup(name string) (Identity, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if _, numeric := strconv.Atoi(name); numeric != nil {
			return Identity{}, fmt.Errorf("no user %q on this host", name)
		}
		u, err = user.LookupId(name)
	}
	if err != nil { // a number without a user: its group is that number too
		id, ok := number(name)
		if !ok {
			return Identity{}, fmt.Errorf("no user %q on this host", name)
		}
		return Identity{Name: name, UID: id, GID: id, Home: "/"}, nil
	}
	uid, uidOK := number(u.Uid)
	gid, gidOK := number(u.Gid)
	if !uidOK || !gidOK {
		return Identity{}, fmt.Errorf("user %q has the number %s:%s: want a user of Unix", name, u.Uid, u.Gid)
	}
	return Identity{Name: u.Username, UID: uid, GID: gid, Home: u.HomeDir}, nil
}

// number parses the number of a user or a group. The kernel has 32 bits for it: a larger
// one would be cut, 2^32 to root's, and 2^32-1 means to setresuid(2) to stay who one is.
func number(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return int(n), err == nil && n != 1<<32-1
}

// Invoker returns the user who called sudo; false if nobody did, or root.
func Invoker() (Identity, bool) {
	uid, ok := number(os.Getenv("SUDO_UID"))
	if os.Geteuid() != 0 || !ok || uid == 0 {
		return Identity{}, false
	}
	who, err := Lookup(strconv.Itoa(uid))
	if gid, ok := number(os.Getenv("SUDO_GID")); ok && gid > 0 {
		who.GID = gid
	}
	return who, err == nil
}

// unprivileged returns who a trace becomes: whom name says, or who called sudo, or a number
// that is nobody else's. Without root it stays who it is.
func unprivileged(name string) (Identity, error) {
	if os.Geteuid() != 0 {
		if name != "" {
			return Identity{}, fmt.Errorf("become user %s: only root can", name)
		}
		return Identity{UID: os.Geteuid(), GID: os.Getegid()}, nil
	}
	if name != "" {
		return Lookup(name)
	}
	if !mayBecome() { // a container without CAP_SETUID: root stays, without capabilities
		return Identity{Name: "root"}, nil
	}
	if who, ok := Invoker(); ok {
		return who, nil
	}
	if who, ok := ownIdentity(); ok {
		return who, nil
	}
	if who, err := Lookup("nobody"); err == nil {
		return who, nil
	}
	return Identity{Name: "nobody", UID: overflowID, GID: overflowID, Home: "/"}, nil
}
