package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// guest is process 1 of the machine. It never returns: the kernel panics when
// process 1 ends.
func guest() {
	if err := guestRun(); err != nil {
		// The console is printed by the host when no result comes.
		fmt.Println("vmtest /init:", err)
	}
	unix.Sync()
	// With qemu -no-reboot a restart ends qemu.
	err := unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	fmt.Println("vmtest /init: restart:", err)
	select {}
}

func guestRun() error {
	if err := mountAll(); err != nil {
		return err
	}
	text, err := os.ReadFile(planPath)
	if err != nil {
		return err
	}
	var p plan
	if err := json.Unmarshal(text, &p); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	port, err := openResultPort(p.Port)
	if err != nil {
		return err
	}
	out := &frameWriter{w: port, marker: p.Marker}
	note := func(err error) {
		if err != nil {
			_ = out.send(frameNote, "", []byte(err.Error()))
		}
	}
	note(unix.Sethostname([]byte(p.Hostname)))
	note(loopbackUp())
	for _, file := range p.Modules {
		note(loadModule(file))
	}
	code, err := runTest(p, out)
	note(err)
	log, err := kernelLog()
	note(err)
	for _, line := range kernelProblems(log) {
		note(out.send(frameKernel, "", []byte(line)))
	}
	for _, name := range p.Get {
		note(sendTree(out, name))
	}
	return errors.Join(out.send(frameExit, "", strconv.AppendInt(nil, int64(code), 10)), port.Close())
}

// runTest runs the test binary and reaps every orphan until it ends. Tests that
// watch for the end of a process would wait for ever on an unreaped one.
func runTest(p plan, out *frameWriter) (int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return machineFailed, err
	}
	stdin, err := os.Open(os.DevNull)
	if err != nil {
		return machineFailed, err
	}
	child, err := os.StartProcess(p.Args[0], p.Args, &os.ProcAttr{
		Dir: p.Dir, Env: p.Env, Files: []*os.File{stdin, w, w},
	})
	if err != nil {
		return machineFailed, err
	}
	w.Close()
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(out, r)
		copied <- err
	}()
	code, err := reapUntil(child.Pid)
	// A process that the test left behind may hold the pipe open.
	select {
	case copyErr := <-copied:
		err = errors.Join(err, copyErr)
	case <-time.After(time.Second):
		err = errors.Join(err, errors.New("the test left a process behind that holds its output"))
	}
	return code, err
}

// reapUntil waits for children, adopted ones too, until pid ends.
func reapUntil(pid int) (int, error) {
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(-1, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return machineFailed, fmt.Errorf("wait for the test: %w", err)
		}
		if got != pid {
			continue
		}
		if status.Signaled() {
			return 128 + int(status.Signal()), nil // as shells do
		}
		return status.ExitStatus(), nil
	}
}

// sendTree sends a file, or all files of a folder, if it exists.
func sendTree(out *frameWriter, root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return out.send(frameFile, path, data)
	})
}
