//go:build unix

package kubectl

import (
	"os/exec"
	"syscall"
)

// apart keeps the terminal's signals from cmd.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
