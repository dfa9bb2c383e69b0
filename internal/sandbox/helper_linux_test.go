package sandbox

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestHostileAnswers: any user chooses the path of a program. One that takes much room as JSON is
// an answer; one that has no room, or that is none, does not end the helper.
func TestHostileAnswers(t *testing.T) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[1])
	h := &helper{role: "links", conn: ends[0]}
	defer func() { _ = unix.Close(h.conn) }()
	say := func(text string) {
		t.Helper()
		if err := unix.Sendmsg(ends[1], []byte(text), nil, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	worst := "/" + strings.Repeat("\x01", 4095)
	encoded, err := json.Marshal(answer{Text: []string{worst}})
	if err != nil {
		t.Fatal(err)
	}
	for _, hostile := range []string{strings.Repeat("x", messageMax+1), "{"} {
		say(hostile)
		if _, _, err := h.ask(question{PID: 1}); err == nil {
			t.Errorf("%.20q is taken for an answer", hostile)
		}
		say(string(encoded))
		if a, _, err := h.ask(question{PID: 2}); err != nil || len(a.Text) != 1 || a.Text[0] != worst {
			t.Fatalf("after %.20q: %v, %d texts", hostile, err, len(a.Text))
		}
	}
}

// TestSlowDisk: a helper that makes files may wait for a disk, others are given up by then.
func TestSlowDisk(t *testing.T) {
	for role, waits := range map[string]bool{"files": true, "links": false} {
		ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(ends[1])
		if err := unix.SetsockoptTimeval(ends[0], unix.SOL_SOCKET, unix.SO_RCVTIMEO, patience(role)); err != nil {
			t.Fatal(err)
		}
		h := &helper{role: role, conn: ends[0]}
		time.AfterFunc(2500*time.Millisecond, func() { _ = unix.Sendmsg(ends[1], []byte("{}"), nil, nil, unix.MSG_NOSIGNAL) })
		if _, _, err := h.ask(question{Op: "sync"}); (err == nil) != waits {
			t.Errorf("%s: %v", role, err)
		}
		if h.conn >= 0 {
			unix.Close(h.conn)
		}
	}
}
