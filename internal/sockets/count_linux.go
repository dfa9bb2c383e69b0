package sockets

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// CountIn returns how many TCP connections of a cgroup v2, by its id, the
// kernel still works on: TIME_WAIT and listeners do not count. It sees this
// network namespace, and needs no privilege.
func CountIn(cgroup uint64) (int, error) {
	own := &namespace{own: true}
	c, err := own.dial()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	n := 0
	states := ^stateMask(model.Listen, model.Closed, model.TimeWait, model.NewSynRecv)
	for _, family := range []byte{familyIPv4, familyIPv6} {
		for conn, err := range dump(c, dumpKey(family, protocolTCP), states, 0) {
			if errors.Is(err, unix.ENOENT) {
				break
			}
			if err != nil {
				return 0, fmt.Errorf("count connections: %w", err)
			}
			if conn.cgroupID == cgroup && !conn.TCP.TimeWait {
				n++
			}
		}
	}
	return n, nil
}

// Crowd is how many TCP sockets are open, and who has most of them.
type Crowd struct {
	Open  uint64
	Most  uint64 // of one user in one network namespace
	UID   uint32 // that user
	NetNS uint32 // that namespace
}

// Count counts the open TCP sockets, listeners too, of all network namespaces that can be
// found and looked into.
func Count() (Crowd, error) {
	type tenant struct{ netns, uid uint32 }
	counts := map[tenant]uint64{}
	var crowd Crowd
	spaces := namespaces(&Options{AllNetNS: true})
	defer spaces.close()
	for space := range spaces.all {
		err := space.count(func(uid uint32) { counts[tenant{space.inode, uid}]++ })
		if err != nil && space.own {
			return crowd, err
		}
	}
	for who, n := range counts {
		crowd.Open += n
		if n > crowd.Most {
			crowd.Most, crowd.UID, crowd.NetNS = n, who.uid, who.netns
		}
	}
	return crowd, nil
}

func (n *namespace) count(each func(uid uint32)) error {
	c, err := n.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	for _, family := range []byte{familyIPv4, familyIPv6} {
		for conn, err := range dump(c, dumpKey(family, protocolTCP), ^stateMask(model.Closed, model.TimeWait), n.inode) {
			if errors.Is(err, unix.ENOENT) {
				break
			}
			if err != nil {
				return fmt.Errorf("count connections: %w", err)
			}
			each(conn.Socket.UID.Or(0))
		}
	}
	return nil
}
