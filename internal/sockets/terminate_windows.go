package sockets

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/windows"

	"github.com/closetrace/closetrace/model"
)

// Terminate ends the process that holds c (TerminateProcess), if it is still
// the one that was listed.
func Terminate(c *Conn) error {
	pid := c.Process.PID
	handle, err := windows.OpenProcess(windows.PROCESS_TERMINATE|windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	switch {
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return fmt.Errorf("end process %d: needs an elevated prompt (Run as administrator): %w", pid, fs.ErrPermission)
	case err != nil:
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	defer windows.CloseHandle(handle)
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(handle, &created, &exited, &kernel, &user); err != nil {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	if model.Time(created.Nanoseconds()) != c.Process.StartTime {
		return fmt.Errorf("end process %d: %w", pid, ErrGone)
	}
	if err := windows.TerminateProcess(handle, 1); err != nil {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	return nil
}
