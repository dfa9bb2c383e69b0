package sandbox_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/sandbox"
)

// TestResolverFileReplaced: when a DHCP client puts another resolv.conf in place of the one
// that the sandbox lets be read, names still resolve.
func TestResolverFileReplaced(t *testing.T) {
	if os.Getenv("SANDBOX_TEST_RESOLVER") != "" {
		resolveTwice(t)
		return
	}
	if os.Geteuid() != 0 || sandbox.Landlock() == 0 {
		t.Skip("needs root and landlock")
	}
	server, err := net.ListenPacket("udp", "127.94.69.1:53")
	if err != nil {
		t.Skipf("a server of names: %v", err)
	}
	defer server.Close()
	go answerNames(server)
	c := exec.Command(os.Args[0], "-test.run=^TestResolverFileReplaced$")
	c.Env = append(os.Environ(), "SANDBOX_TEST_RESOLVER=1")
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	if _, err := said.ReadString('\n'); err != nil { // it is confined
		t.Fatal(err)
	}
	etc := filepath.Join("/proc", strconv.Itoa(c.Process.Pid), "root/etc")
	if err := os.WriteFile(etc+"/new", []byte("nameserver 127.94.69.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(etc+"/new", etc+"/resolv.conf"); err != nil {
		t.Fatal(err)
	}
	in.Close()
	rest, _ := io.ReadAll(said)
	if err := c.Wait(); err != nil {
		t.Errorf("%v: %s", err, rest)
	}
}

// answerNames says that every name is 192.0.2.7.
func answerNames(server net.PacketConn) {
	b := make([]byte, 512)
	for {
		n, from, err := server.ReadFrom(b)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(b[:n]) != nil || len(m.Questions) == 0 {
			continue
		}
		q := m.Questions[0]
		m.Response, m.Additionals = true, nil
		if q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}},
			}}
		}
		if text, err := m.Pack(); err == nil {
			_, _ = server.WriteTo(text, from)
		}
	}
}

func resolveTwice(t *testing.T) {
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	check(unix.Mount("none", "/etc", "tmpfs", 0, ""))
	check(os.WriteFile("/etc/resolv.conf", []byte("nameserver 127.94.69.1\n"), 0o644))
	box, err := sandbox.New(sandbox.Options{Network: true, User: "0"})
	check(err)
	check(box.Enter(nil))
	resolve := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if got, err := net.DefaultResolver.LookupHost(ctx, "collector.example."); err != nil || len(got) != 1 || got[0] != "192.0.2.7" {
			t.Errorf("got %v, %v", got, err)
		}
	}
	resolve()
	os.Stdout.WriteString("confined\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if _, err := os.ReadFile("/etc/resolv.conf"); err == nil {
		t.Error("landlock lets the new file be read")
	}
	time.Sleep(6 * time.Second) // Go looks at the file every five
	resolve()
}
