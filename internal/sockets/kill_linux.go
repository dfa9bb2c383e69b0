package sockets

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// Killer ends connections (SOCK_DESTROY, since 4.5 with
// CONFIG_INET_DIAG_DESTROY). It needs CAP_NET_ADMIN in each network namespace,
// and CAP_SYS_ADMIN to enter others. The zero value works; Close it. One
// goroutine at a time may use it.
type Killer struct {
	byNetNS map[uint32]*netlink.Conn
}

// Close releases the netlink sockets.
func (k *Killer) Close() error {
	var errs []error
	for _, c := range k.byNetNS {
		errs = append(errs, c.Close())
	}
	k.byNetNS = nil
	return errors.Join(errs...)
}

// Kill ends c, and only c: the kernel compares the socket's cookie. An
// established connection sends RST, and its process gets ECONNABORTED. A
// listener resets what waits in its queue. The error is a *[KillError].
func (k *Killer) Kill(c *Conn) (Done, error) {
	conn, err := k.dial(c.key.netns)
	if err != nil {
		return DoneUnknown, &KillError{c, err}
	}
	_, err = ask(conn, sockDestroy, netlink.Acknowledge, &c.key)
	if err != nil {
		return DoneUnknown, &KillError{c, refusal(c, err)}
	}
	alive, err := lookUp(conn, &c.key)
	if err != nil {
		return DoneUnknown, &KillError{c, err}
	}
	if alive {
		return DoneNothing, nil
	}
	return DoneEnded, nil
}

// Why explains DoneNothing.
func (d Done) Why(c *Conn) error {
	switch {
	case d != DoneNothing:
		return nil
	case c.Orphan:
		return fmt.Errorf("%w: this Linux leaves connections alone that their process has closed", errNothing)
	default:
		return errNothing
	}
}

// refusal turns the kernel's error into what a user can do.
func refusal(c *Conn, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ESTALE):
		return ErrGone
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("needs CAP_NET_ADMIN: run it with sudo: %w", fs.ErrPermission)
	case errors.Is(err, unix.EOPNOTSUPP) && c.TCP.TimeWait:
		return fmt.Errorf("this kernel can't end a TIME_WAIT: %w", errors.ErrUnsupported)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("this kernel can't end connections (CONFIG_INET_DIAG_DESTROY): %w", errors.ErrUnsupported)
	default:
		return err
	}
}

// lookUp reports whether the very socket is still there and not closed. It is
// gone from the tables as soon as it is closed, whether its process has
// noticed or not.
func lookUp(conn *netlink.Conn, k *key) (bool, error) {
	answers, err := ask(conn, sockDiagByFamily, 0, k)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ESTALE):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look again: %w", err)
	}
	for _, m := range answers {
		if c, err := decodeDiag(m.Data, k.protocol, k.netns); err == nil {
			return c.key.cookie() == k.cookie() && c.State != model.Closed, nil
		}
	}
	return false, nil
}

// ask sends a request about one socket.
func ask(conn *netlink.Conn, kind netlink.HeaderType, flags netlink.HeaderFlags, k *key) ([]netlink.Message, error) {
	return conn.Execute(netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request | flags},
		Data:   k.request(^uint32(0)),
	})
}

func (k *Killer) dial(netns uint32) (*netlink.Conn, error) {
	if c := k.byNetNS[netns]; c != nil {
		return c, nil
	}
	if err := MayKill(); err != nil {
		return nil, err
	}
	var denied error
	found := namespaces(&Options{AllNetNS: true, Skipped: func(err error) { denied = err }})
	defer found.close()
	for space := range found.all {
		if space.inode != netns {
			continue
		}
		c, err := space.dial()
		if err != nil {
			return nil, err
		}
		if k.byNetNS == nil {
			k.byNetNS = map[uint32]*netlink.Conn{}
		}
		k.byNetNS[netns] = c
		return c, nil
	}
	if denied != nil {
		return nil, denied
	}
	return nil, fmt.Errorf("network namespace %d is gone: %w", netns, ErrGone)
}
