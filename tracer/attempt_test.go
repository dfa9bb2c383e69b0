//go:build linux

package tracer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// TestNoConnection: a connect() that fails before a SYN is sent makes no end.
func TestNoConnection(t *testing.T) {
	for _, mode := range tracer.TypedModes() {
		t.Run(string(mode), func(t *testing.T) {
			tr := open(t, tracer.Options{Mode: mode})
			var port, server int
			records := collect(t, tr, func() {
				var err error
				if port, server, err = connectTwice(); err != nil {
					t.Error(err)
				}
			})
			active := 0
			for _, r := range records {
				n := r.Teardown.Network
				if r.Kind == model.KindTeardown && int(n.Local.Port) == port && int(n.Peer.Port) == server {
					active++
					if r.Teardown.Verdict != model.Graceful {
						t.Errorf("verdict is %v, want graceful", r.Teardown.Verdict)
					}
				}
			}
			if active != 1 {
				t.Errorf("%d ends of the client, want 1", active)
			}
		})
	}
}

// connectTwice makes a connection, and tries to make another of the same tuple.
func connectTwice() (port, server int, err error) {
	listener, server, err := listenTCP()
	if err != nil {
		return 0, 0, err
	}
	defer unix.Close(listener)
	first, err := boundTo(0)
	if err != nil {
		return 0, 0, err
	}
	port = localPort(first)
	second, err := boundTo(port)
	if err != nil {
		return 0, 0, err
	}
	to := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: server}
	if err := unix.Connect(first, to); err != nil {
		return 0, 0, err
	}
	if err := unix.Connect(second, to); !errors.Is(err, unix.EADDRNOTAVAIL) {
		return 0, 0, errors.Join(errors.New("the second connect() did not fail with EADDRNOTAVAIL"), err)
	}
	accepted, _, err := unix.Accept(listener)
	return port, server, errors.Join(err, unix.Close(second), unix.Close(first), unix.Close(accepted))
}

func boundTo(port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, err
	}
	return fd, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port})
}

// TestErrorThatWasReadEndsNothing: with IP_RECVERR an application reads an ICMP error and
// goes on. Its end has that error only if the socket still had it.
func TestErrorThatWasReadEndsNothing(t *testing.T) {
	for _, mode := range tracer.TypedModes() {
		t.Run(string(mode), func(t *testing.T) {
			tr := open(t, tracer.Options{Mode: mode})
			run := runLab(t, tr, slices.DeleteFunc(lab.Scenarios(), func(s lab.Scenario) bool {
				return !strings.HasPrefix(s.Name, "close-after-icmp")
			}))
			tr.Close()
			checkRun(t, run).report(t)
			read := map[string]int{}
			for _, r := range run.records {
				if r.Kind == model.KindTeardown && r.Teardown.TCP.Role == model.Active {
					read[r.Teardown.TCP.Error]++
				}
			}
			if read[""] == 0 || read["EHOSTUNREACH"] == 0 || len(read) != 2 {
				t.Errorf("errors of the active ends: %v, want one that has EHOSTUNREACH and one that has none", read)
			}
		})
	}
}
