package sandbox

import (
	"os"
	"strconv"
	"testing"
)

// TestForgedInvoker: whatever SUDO_UID and SUDO_GID say, a process that gives up root does
// not stay it: a number of more than 32 bits would be cut to one of root's, and -1 keeps
// the user that one has.
func TestForgedInvoker(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives up root")
	}
	for _, forged := range []string{"4294967295", "4294967296", "18446744073709551616", "-1", "0", "", "x", " 7", "0x10"} {
		t.Setenv("SUDO_UID", forged)
		t.Setenv("SUDO_GID", forged)
		if who, ok := Invoker(); ok {
			t.Errorf("SUDO_UID=%q: called by %+v", forged, who)
		}
		if who, err := unprivileged(""); err != nil || uint32(who.UID) == 0 || uint32(who.UID) == 1<<32-1 || uint32(who.GID) == 0 {
			t.Errorf("SUDO_UID=%q: becomes %+v (%v)", forged, who, err)
		}
		if _, err := strconv.Atoi(forged); err == nil && forged != "0" {
			if who, err := Lookup(forged); err == nil {
				t.Errorf("--user %s: becomes %+v", forged, who)
			}
		}
	}
	t.Setenv("SUDO_UID", "54321")
	t.Setenv("SUDO_GID", "4294967296")
	if who, ok := Invoker(); !ok || who.UID != 54321 || who.GID == 1<<32 || who.GID == 0 {
		t.Errorf("got %+v, %v: want user 54321, not of the group that was forged", who, ok)
	}
	t.Setenv("SUDO_GID", "0")
	if who, ok := Invoker(); !ok || who.UID != 54321 || who.GID == 0 {
		t.Errorf("got %+v, %v: want user 54321, not of root's group", who, ok)
	}
	t.Setenv("SUDO_GID", "54322")
	if who, ok := Invoker(); !ok || who.GID != 54322 {
		t.Errorf("got %+v, %v: want group 54322", who, ok)
	}
}
