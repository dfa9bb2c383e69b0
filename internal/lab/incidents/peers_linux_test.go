package incidents

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Two ends of one connection on this host know each other. The witnesses are the processes
// that the test started and what they do by their system calls.

// found waits for a teardown of the scene.
func (s *scene) found(what string, is func(*model.Teardown) bool) model.Teardown {
	s.t.Helper()
	for range 40 {
		shared.mutex.Lock()
		i := slices.IndexFunc(shared.records[s.from:], func(r model.Record) bool {
			return r.Kind == model.KindTeardown && of(&r, s.inodes) && is(&r.Teardown)
		})
		if i >= 0 {
			defer shared.mutex.Unlock()
			return shared.records[s.from+i].Teardown
		}
		shared.mutex.Unlock()
		time.Sleep(250 * time.Millisecond)
	}
	s.tell()
	s.t.Fatalf("no end: %s", what)
	return model.Teardown{}
}

// rude closes what it accepts a second later, with the request unread.
const rude = `import socket, time
l = socket.create_server(('%s', 7001))
while True:
    s, _ = l.accept(); time.sleep(1); s.close()
`

func (s *scene) rude(ns, address string) (pid int) {
	s.t.Helper()
	server := s.start(ns, "python3", s.file("rude.py", fmt.Sprintf(rude, address)))
	s.listening(ns, 7001)
	return server.Process.Pid
}

// checkRude checks what the client's end knows of the server's.
func (s *scene) checkRude(pid int) {
	s.t.Helper()
	client := s.found("the client's", func(t *model.Teardown) bool { return t.Cause == model.CausePeerReset })
	server := s.found("the server's", func(t *model.Teardown) bool { return t.Cause == model.CauseUnreadData })
	if server.Process.PID != pid {
		s.t.Fatalf("got %+v for the server, want process %d", server.Process, pid)
	}
	if client.PeerEnd != server.ID || client.PeerProcess != (model.PeerProcess{PID: pid, Name: "python3"}) || client.PeerCause != model.CauseUnreadData {
		s.t.Errorf("client: got peer %s %+v %v, want %s, python3 %d, unread-data", client.PeerEnd, client.PeerProcess, client.PeerCause, server.ID, pid)
	}
	if server.PeerEnd != client.ID || server.PeerProcess.PID == 0 || server.PeerProcess.PID != client.Process.PID || server.PeerCause != model.CausePeerReset {
		s.t.Errorf("server: got peer %s %+v %v, want %s and this test", server.PeerEnd, server.PeerProcess, server.PeerCause, client.ID)
	}
	if client.Terminator != model.Peer {
		s.t.Errorf("client: ended by %v, want the peer", client.Terminator)
	}
}

// TestResetNamesItsSender: on loopback the reset of a server that closes with unread data
// names that server at the client's end.
func TestResetNamesItsSender(t *testing.T) {
	s := newScene(t, []string{"a"}, "python3")
	pid := s.rude("a", "127.0.0.1")
	if _, err := ask(s.dial("a", "127.0.0.1:7001"), "request"); err == nil {
		t.Fatal("the server has answered")
	}
	s.checkRude(pid)
}

// TestTranslatedEndsKnowEachOther: DNAT and SNAT are between the two, so that neither address
// is the same at both ends.
func TestTranslatedEndsKnowEachOther(t *testing.T) {
	s := newScene(t, []string{"client", "nat", "server"}, "python3", "nft")
	s.link("client", "10.20.1.2", "nat", "10.20.1.1")
	s.link("nat", "10.20.2.1", "server", "10.20.2.2")
	s.run("nat", "sysctl", "-qw", "net.ipv4.ip_forward=1")
	s.nft("nat", `table ip t {
 chain pre { type nat hook prerouting priority -100; ip daddr 10.20.1.1 tcp dport 80 dnat to 10.20.2.2:7001; }
 chain post { type nat hook postrouting priority 100; ip daddr 10.20.2.2 masquerade; }
}
`)
	pid := s.rude("server", "10.20.2.2")
	if _, err := ask(s.dial("client", "10.20.1.1:80"), "request"); err == nil {
		t.Fatal("the server has answered")
	}
	s.checkRude(pid)
}

// TestOtherEndIsStillOpen: a router resets the client only. The server, on the same host, is
// open, and so did not do it.
func TestOtherEndIsStillOpen(t *testing.T) {
	s := newScene(t, []string{"client", "router", "server"}, "nft")
	s.link("client", "10.21.1.2", "router", "10.21.1.1")
	s.link("router", "10.21.2.1", "server", "10.21.2.2")
	s.run("router", "sysctl", "-qw", "net.ipv4.ip_forward=1")
	s.must("ip", "-n", s.names["client"], "route", "add", "default", "via", "10.21.1.1")
	s.must("ip", "-n", s.names["server"], "route", "add", "default", "via", "10.21.2.1")
	var listener net.Listener
	if err := s.within("server", func() (err error) { listener, err = net.Listen("tcp", "10.21.2.2:7002"); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	client := s.dial("client", "10.21.2.2:7002")
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	s.nft("router", "table ip t {\n chain f {\n type filter hook forward priority 0;\n tcp dport 7002 reject with tcp reset\n }\n}\n")
	if _, err := ask(client, "request"); err == nil || errors.Is(err, io.EOF) {
		t.Fatalf("the router did not reset the client: %v", err)
	}
	_ = server.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the server's end is not open: %v", err)
	}
	end := s.found("the client's", func(t *model.Teardown) bool { return t.Cause == model.CausePeerReset })
	if !end.Evidence.PeerOpen || end.Terminator != model.NetworkPath || end.Confidence != model.Inferred {
		t.Errorf("got peer open %v, ended by %v, %v (%s); want that the network did it, inferred", end.Evidence.PeerOpen, end.Terminator, end.Confidence, end.ConfidenceReason)
	}
	s.says("middlebox-reset", "neither end")
}
