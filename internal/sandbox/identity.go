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
		id, _ := strconv.Atoi(name)
		if id < 0 {
			return Identity{}, fmt.Errorf("no user %q on this host", name)
		}
		return Identity{Name: name, UID: id, GID: id, Home: "/"}, nil
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if uidErr != nil || gidErr != nil {
		return Identity{}, fmt.Errorf("user %q has the number %s:%s: want a user of Unix", name, u.Uid, u.Gid)
	}
	return Identity{Name: u.Username, UID: uid, GID: gid, Home: u.HomeDir}, nil
}

// Invoker returns the user who called sudo; false if nobody did, or root.
func Invoker() (Identity, bool) {
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	if os.Geteuid() != 0 || err != nil || uid <= 0 {
		return Identity{}, false
	}
	who, err := Lookup(strconv.Itoa(uid))
	if gid, wrong := strconv.Atoi(os.Getenv("SUDO_GID")); wrong == nil && gid > 0 {
		who.GID = gid
	}
	return who, err == nil
}

// unprivileged returns who a trace becomes: whom name says, or who called sudo, or
// nobody. Without root it stays who it is.
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
	if who, err := Lookup("nobody"); err == nil {
		return who, nil
	}
	return Identity{Name: "nobody", UID: overflowID, GID: overflowID, Home: "/"}, nil
}
