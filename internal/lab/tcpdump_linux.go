package lab

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// CaptureEnv names a folder: tcpdump then writes each scenario's segments to a file
// there, NAME.pcap.
const CaptureEnv = "CLOSETRACE_LAB_CAPTURES"

// lastWords is the datagram after which nothing of a scenario comes.
const lastWords = "closetrace: the scenario is over"

// tcpdump is the capture of a scenario.
type tcpdump struct {
	command *exec.Cmd
	path    string
	said    *bufio.Scanner
}

// openTcpdump starts it if it is asked for, and waits until it captures.
func (s *stage) openTcpdump(name string) {
	folder := os.Getenv(CaptureEnv)
	if folder == "" {
		return
	}
	d := &tcpdump{path: filepath.Join(folder, name+".pcap")}
	d.command = exec.Command("tcpdump", "-i", "any", "-n", "-p", "-U", "--immediate-mode", "--time-stamp-precision=nano", "-s", "256", "-B", "16384", // #nosec G204 G702 -- the lab starts this program or tcpdump, with arguments of its own
		"-w", d.path, "tcp or icmp or icmp6 or udp port 9")
	d.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	messages, err := d.command.StderrPipe()
	s.check("start tcpdump", err)
	s.check("start tcpdump", d.command.Start())
	s.dump = d
	d.said = bufio.NewScanner(messages)
	for d.said.Scan() {
		if strings.Contains(d.said.Text(), "listening on") {
			return
		}
	}
	s.fail("tcpdump does not capture: %s", d.said.Text())
}

// takeDump ends the capture when everything is in it. Each processor has a queue of
// what comes in, and a busy one is late: the last words go through all of them.
func (s *stage) takeDump() {
	if s.dump == nil {
		return
	}
	var all unix.CPUSet
	s.check("list processors", unix.SchedGetaffinity(0, &all))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for cpu := range len(all) * 64 {
		if all.IsSet(cpu) {
			s.sayLastWords(cpu)
		}
	}
	s.check("choose all processors", unix.SchedSetaffinity(0, &all))
	s.check("end tcpdump", s.dump.command.Process.Signal(os.Interrupt))
	for s.dump.said.Scan() {
		if text := s.dump.said.Text(); strings.HasSuffix(text, "dropped by kernel") && !strings.HasPrefix(text, "0 ") {
			s.fail("tcpdump: %s", text)
		}
	}
	s.check("end tcpdump", s.dump.command.Wait())
	s.dump = nil
}

func (s *stage) sayLastWords(cpu int) {
	var one unix.CPUSet
	one.Set(cpu)
	s.check("choose a processor", unix.SchedSetaffinity(0, &one))
	words := fmt.Appendf(nil, "%s on processor %d;", lastWords, cpu)
	s.eventually("tcpdump to write all", func() (bool, string) {
		c, err := net.Dial("udp", "127.0.0.1:9")
		s.check("say the last words", err)
		defer c.Close()
		_, _ = c.Write(words) // nobody listens, and the second one is told so
		data, err := os.ReadFile(s.dump.path)
		return err == nil && bytes.Contains(data, words), s.dump.path
	})
}

// close kills what a failure has left.
func (d *tcpdump) close() {
	if d != nil {
		_ = d.command.Process.Kill() // it may have ended
		_ = d.command.Wait()
	}
}
