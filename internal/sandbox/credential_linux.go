package sandbox

import (
	"os/user"
	"strconv"
	"syscall"
)

// Credential is what a program of this user is started with, its groups included.
func (i Identity) Credential() *syscall.Credential {
	c := &syscall.Credential{Uid: uint32(i.UID), Gid: uint32(i.GID)}
	u, err := user.LookupId(strconv.Itoa(i.UID))
	if err != nil {
		return c
	}
	groups, err := u.GroupIds()
	if err != nil {
		return c
	}
	for _, text := range groups {
		if id, err := strconv.ParseUint(text, 10, 32); err == nil {
			c.Groups = append(c.Groups, uint32(id))
		}
	}
	return c
}
