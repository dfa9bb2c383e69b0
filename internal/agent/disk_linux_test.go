package agent

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSpoolOnFullDisk: the file system of the spool is full while the Collector is away.
// What found no place is counted as lost, nothing is sent twice or damaged, and the
// spool works again.
func TestSpoolOnFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root mounts a small file system")
	}
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	defer func() { _ = unix.Unmount(small, unix.MNT_DETACH) }()
	s, away := awaySink()
	url, dir := s.http(t), small+"/spool"
	const sent = 60 * batchSize
	a := newTest(t, Options{Endpoint: url, Spool: dir, SpoolSize: 64 << 20})
	for n := range sent {
		a.Add(end(n))
		if n%batchSize == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	closed(t, a)
	exported, _, lost := balance(t, a)
	if exported != 0 || lost == 0 || lost >= sent {
		t.Fatalf("%d exported and %d lost of %d on a full disk, want some lost", exported, lost, sent)
	}
	away.Store(false)
	b := newTest(t, Options{Endpoint: url, Spool: dir, SpoolSize: 64 << 20})
	eventually(t, "what was kept has arrived", func() bool { return s.unique() == sent-lost })
	const more = 3 * batchSize
	for n := range more {
		b.Add(end(sent + n))
		if (n+1)%batchSize == 0 { // the disk is still full until all of its file was read
			eventually(t, "what comes later arrives", func() bool { return s.unique() == sent-lost+n+1 })
		}
	}
	answered(t, b, sent-lost+more)
	closed(t, b)
	if _, _, again := balance(t, b); again != 0 || int(s.total.Load()) != sent-lost+more {
		t.Errorf("%d arrived, %d lost later; want %d and none", s.total.Load(), again, sent-lost+more)
	}
}
