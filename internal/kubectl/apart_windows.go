package kubectl

import (
	"os/exec"
	"syscall"
)

// apart keeps the console's ctrl-c from cmd.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
