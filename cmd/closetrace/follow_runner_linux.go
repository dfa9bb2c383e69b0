package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/sandbox"
	"github.com/closetrace/closetrace/tracer/process"
)

// newFollowed is the other side, the runner.
func newFollowed(*app) *cobra.Command {
	return &cobra.Command{
		Use:                runnerCommand,
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) < 4 {
				return usage("%s is for closetrace live -- COMMAND", runnerCommand)
			}
			return runFollowed(args[0], args[1], args[2], args[3:])
		},
	}
}

// runFollowed waits for its start, runs the command in the group, reports how it ended,
// waits until the trace has closed the pipe, and removes the group.
func runFollowed(group, user, path string, words []string) error {
	hold, tell := os.NewFile(3, "start"), os.NewFile(4, "report")
	defer hold.Close()
	syscall.CloseOnExec(3)
	syscall.CloseOnExec(4)
	// The terminal's signals are for the command. They are caught and not ignored,
	// because the command would inherit that they are ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP)
	signal.Reset(syscall.SIGPIPE)
	place := process.GroupAt(group)
	if n, _ := hold.Read(make([]byte, 1)); n == 1 {
		how := runIn(place.Directory(), user, path, words)
		_, _ = io.WriteString(tell, how) // the trace may have ended
	}
	_ = tell.Close()
	_, _ = io.Copy(io.Discard, hold)
	return place.Close()
}

// notStarted is the exit code of a command that cannot be run, as a shell has it.
const notStarted = 126

func runIn(directory, user, path string, words []string) (how string) {
	group, err := os.Open(directory)
	if err != nil {
		return fmt.Sprintf("%d did not start: %v", notStarted, err)
	}
	defer group.Close()
	c := &exec.Cmd{Path: path, Args: words, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	if user != "" {
		who, err := sandbox.Lookup(user)
		if err != nil {
			return fmt.Sprintf("%d did not start: %v", notStarted, err)
		}
		c.SysProcAttr.Credential = who.Credential()
		c.Env = append(os.Environ(), "HOME="+who.Home, "USER="+who.Name, "LOGNAME="+who.Name)
	}
	return howEnded(c.Run())
}

// howEnded returns the exit code, as a shell has it, and how the command ended in words.
func howEnded(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "0 exited with 0"
	case errors.As(err, &exit):
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return fmt.Sprintf("%d was killed: %v", 128+int(status.Signal()), status.Signal())
		}
		return fmt.Sprintf("%[1]d exited with %[1]d", exit.ExitCode())
	default:
		return fmt.Sprintf("%d did not start: %v", notStarted, err)
	}
}
