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
