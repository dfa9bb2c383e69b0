package sockets

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"golang.org/x/sys/unix"
)

// Terminate asks the process that holds c to end (SIGTERM), if it is still the
// one that was listed. The error may be [ErrGone] or fs.ErrPermission.
func Terminate(c *Conn) error {
	pid := c.Process.PID
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("end process %d: %w", pid, signalError(err))
	}
	defer unix.Close(process)
	dir, err := unix.Open("/proc/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("end process %d: %w", pid, errProcessGone)
	}
	defer unix.Close(dir)
	now, ok := readHolder(dir)
	if started := int64(c.Process.StartTime) - bootTime(); !ok || abs(started-int64(now.Started)) > startNoise {
		return fmt.Errorf("end process %d: %w", pid, errProcessGone)
	}
	if err := unix.PidfdSendSignal(process, unix.SIGTERM, nil, 0); err != nil {
		return fmt.Errorf("end process %d: %w", pid, signalError(err))
	}
	return nil
}

// startNoise is how far two readings of one process's start may differ: /proc
// counts hundredths of a second, and the wall clock is read anew.
const startNoise = 50_000_000

var errProcessGone = errors.New("the process has ended; another one with its number, if any, was left alone")

func signalError(err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("needs CAP_KILL: run it with sudo: %w", fs.ErrPermission)
	case errors.Is(err, unix.ESRCH):
		return errProcessGone
	default:
		return err
	}
}

func abs(n int64) int64 { return max(n, -n) }
