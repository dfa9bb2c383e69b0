package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func runCommand(ctx context.Context, args []string) (int, error) {
	r, err := parseRun(args)
	if err != nil {
		return machineFailed, err
	}
	k, err := openKernel(r.kernelDir, r.arch)
	if err != nil {
		return machineFailed, err
	}
	work, err := os.MkdirTemp("", "vmtest-")
	if err != nil {
		return machineFailed, err
	}
	defer os.RemoveAll(work)
	return r.run(ctx, k, work)
}

// run boots kernel k with its files in the folder work.
func (r *request) run(ctx context.Context, k kernel, work string) (int, error) {
	start := time.Now()
	initrd, console := filepath.Join(work, "initrd"), filepath.Join(work, "console")
	marker := rand.Text()
	m, err := machineFor(k.Arch)
	if err != nil {
		return machineFailed, err
	}
	absent, err := r.pack(k, plan{Marker: marker, Port: m.port}, initrd)
	if err != nil {
		return machineFailed, err
	}
	r.say("kernel %s, packed in %v, no module file for %v", k.Release, since(start), absent)
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout,
		fmt.Errorf("the machine ran longer than %v and was stopped", r.timeout))
	defer cancel()
	v := &verdict{request: r, release: k.Release, stdout: os.Stdout, stderr: os.Stderr}
	if err := runQemu(ctx, r.qemu(m, k, initrd, console), marker, v.handle); err != nil {
		v.showConsole(console)
		return machineFailed, fmt.Errorf("kernel %s: %w", k.Release, err)
	}
	r.say("kernel %s, exit code %d after %v", k.Release, v.code, since(start))
	return v.conclude()
}

func since(t time.Time) time.Duration { return time.Since(t).Round(time.Millisecond) }

func (r *request) say(format string, args ...any) {
	if r.verbose {
		fmt.Fprintf(os.Stderr, "vmtest: "+format+"\n", args...)
	}
}

// runQemu runs the command and hands the frames of the guest to handle. It ends
// qemu as soon as the exit frame is there: nothing after it matters.
func runQemu(ctx context.Context, command []string, marker string, handle func(frame) error) error {
	// The kernel sends the death signal when the starting thread ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	frames, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start qemu (Debian: qemu-system-x86, qemu-system-arm): %w", err)
	}
	result := readFrames(frames, marker, handle)
	if result == nil || !errors.Is(result, errNoResult) {
		_ = cmd.Process.Kill() // it may have ended by itself
	}
	// Killed or not: the exit frame has said all.
	ended := cmd.Wait()
	if result == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if said := strings.TrimSpace(complaints.String()); said != "" {
		result = fmt.Errorf("%w: qemu says: %s", result, said)
	}
	return errors.Join(result, ended)
}
