package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// patience is how long a tracer may take to be live, and to end.
	patience = 20 * time.Second
)

// tracer is a contender that runs.
type tracer struct {
	*contender
	process  *exec.Cmd
	path     string        // of its output
	startUp  time.Duration // to the start line
	startCPU time.Duration // used until it was live
	terminal *os.File
	reserve  *reserve
	quit     chan struct{}
	done     sync.WaitGroup
	anon     uint64 // bytes, the highest seen
	drawn    screen
	began    time.Time
	// complaint is the beginning of what came on standard error.
	complaint beginning
}

// beginning keeps the first bytes that are written to it.
type beginning struct{ text []byte }

// Write implements [io.Writer].
func (b *beginning) Write(p []byte) (int, error) {
	const limit = 500
	b.text = append(b.text, p[:min(len(p), limit-len(b.text))]...)
	return len(p), nil
}

// begin starts the contender beside the generator with this PID and waits until
// it is live.
func (c *contender) begin(s *settings, generator int) (*tracer, error) {
	t := &tracer{contender: c, path: fmt.Sprintf("%s/bench-%d", s.folder, os.Getpid()), quit: make(chan struct{}), reserve: s.reserve}
	command := c.wrap(c.command(t.path), generator)
	if c.ours { // other ends of this host are not the generator's to account for
		namespace, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", generator))
		if err != nil {
			return nil, err
		}
		command = append(command, "--netns", fmt.Sprint(namespace.Sys().(*syscall.Stat_t).Ino))
	}
	t.process = exec.Command(command[0], command[1:]...)
	t.process.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if c.tracefs {
		t.process.SysProcAttr.Unshareflags = unix.CLONE_NEWNS
	}
	t.path += c.extension
	if err := t.connect(); err != nil {
		return nil, err
	}
	t.began = time.Now()
	if err := t.process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	if err := t.await(); err != nil {
		return nil, errors.Join(err, t.end(), errors.New(string(t.complaint.text)))
	}
	t.startCPU = t.cpuNow()
	t.done.Go(t.watch)
	return t, nil
}

// connect chooses where the output goes.
func (t *tracer) connect() error {
	if t.contender.terminal {
		return t.openTerminal()
	}
	t.process.Stderr = &t.complaint
	if t.extension != "" {
		return nil
	}
	file, err := os.Create(t.path)
	if err != nil {
		return err
	}
	t.process.Stdout = file
	return nil
}

// openTerminal gives the tracer a terminal of 140 by 40 whose output is read and
// thrown away.
func (t *tracer) openTerminal() error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return fmt.Errorf("unlock terminal: %w", err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return fmt.Errorf("name terminal: %w", err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 140}); err != nil {
		return fmt.Errorf("size terminal: %w", err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	t.process.Stdin, t.process.Stdout, t.process.Stderr = slave, slave, slave
	t.process.Env = append(os.Environ(), "TERM=xterm-256color")
	t.process.SysProcAttr.Setsid, t.process.SysProcAttr.Setctty = true, true
	t.terminal = master
	go io.Copy(&t.drawn, master) // ends with the terminal
	return nil
}

// watch samples the memory, and makes room for the output.
func (t *tracer) watch() {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		t.anon = max(t.anon, anonymous(t.process.Process.Pid))
		if info, err := os.Stat(t.path); err == nil {
			t.reserve.release(info.Size())
		}
		select {
		case <-ticker.C:
		case <-t.quit:
			return
		}
	}
}

// anonymous returns RssAnon of a process, in bytes.
func anonymous(pid int) uint64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(text, []byte("RssAnon:"))
	var kilobytes uint64
	if _, err := fmt.Fscan(bytes.NewReader(after), &kilobytes); err != nil {
		return 0
	}
	return kilobytes << 10
}

// finish lets the tracer write what it still has, ends it and returns when it
// had written the last line.
func (t *tracer) finish() (wrote time.Time, err error) {
	began := time.Now()
	if t.contender.terminal {
		wrote = t.awaitIdle()
	} else if !t.ours { // closetrace reads its ring out when it is told to stop
		t.awaitQuiet()
	}
	if err := t.end(); err != nil {
		return wrote, err
	}
	if t.discards {
		return time.Now(), nil
	}
	if info, err := os.Stat(t.path); err == nil {
		wrote = info.ModTime()
	}
	if wrote.Before(began) {
		wrote = began
	}
	return wrote, nil
}

// awaitQuiet waits until the output has not grown for half a second.
func (t *tracer) awaitQuiet() {
	began, last, size := time.Now(), time.Now(), int64(-1)
	for time.Since(last) < 500*time.Millisecond && time.Since(began) < patience {
		if info, err := os.Stat(t.path); err == nil && info.Size() != size {
			last, size = time.Now(), info.Size()
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// awaitIdle waits until the tracer needs less than a fifth of a processor, and
// returns when it last needed more.
func (t *tracer) awaitIdle() time.Time {
	const step = 100 * time.Millisecond
	began := time.Now()
	busy, before := began, t.cpuNow()
	for time.Since(busy) < 3*step && time.Since(began) < patience {
		time.Sleep(step)
		now := t.cpuNow()
		if now-before > step/5 {
			busy = time.Now()
		}
		before = now
	}
	return busy
}

// cpuNow returns the processor time that the tracer has used, by its clock
// (make_process_cpuclock of include/linux/posix-timers_types.h).
func (t *tracer) cpuNow() time.Duration {
	const scheduled = 2 // CPUCLOCK_SCHED
	var used unix.Timespec
	if unix.ClockGettime(int32(^t.process.Process.Pid)<<3|scheduled, &used) != nil {
		return 0
	}
	return time.Duration(used.Nano())
}

// end stops the tracer. One that does not obey is killed, which is an error:
// what it had not written yet would look like a loss.
func (t *tracer) end() error {
	killed := errors.New("it did not end and was killed")
	kill := time.AfterFunc(patience, func() { _ = t.process.Process.Kill() })
	if t.contender.terminal {
		if _, err := t.terminal.WriteString("q"); err != nil {
			return fmt.Errorf("type q: %w", err)
		}
	} else if err := t.process.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", t.name, err)
	}
	var exit *exec.ExitError
	if err := t.process.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	if kill.Stop() {
		killed = nil
	}
	close(t.quit)
	t.done.Wait()
	if t.contender.terminal {
		t.terminal.Close()
	}
	return killed
}
