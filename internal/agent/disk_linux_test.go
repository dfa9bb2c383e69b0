package agent

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func smallDisk(t *testing.T) (folder string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts a small file system")
	}
	folder = t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(folder, unix.MNT_DETACH) })
	return folder
}

// TestSpoolLeavesNothing: while a disk is full, the queue's attempts to write its own file
// leave no files, and are not in the log each second.
func TestSpoolLeavesNothing(t *testing.T) {
	small := smallDisk(t)
	dir := filepath.Join(small, "spool")
	unfinished := func() []string {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, spoolMeta+".7.tmp"), nil, 0o600); err != nil { // of a run that was killed
		t.Fatal(err)
	}
	a := &Agent{meter: newMeter(&Options{MaxSeries: 10})}
	var said atomic.Int32
	s, err := openSpool(&Options{Spool: dir, SpoolSize: 1 << 20, Log: func(format string, args ...any) { said.Add(1); t.Logf(format, args...) }}, a.meter)
	if err != nil {
		t.Fatal(err)
	}
	if names := unfinished(); len(names) > 0 {
		t.Errorf("%q are left of an earlier run", names)
	}
	s.put(two(a))
	full, err := os.Create(filepath.Join(small, "full"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = full.Write(make([]byte, 4096))
	}
	full.Close()
	time.Sleep(3500 * time.Millisecond)
	if names := unfinished(); len(names) > 1 || said.Load() > 1 { // one may be under way
		t.Errorf("%q are left, and %d lines were said", names, said.Load())
	}
	if err := os.Remove(full.Name()); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// TestSpoolOnFullDisk: the file system of the spool is full while the Collector is away.
// What found no place is counted as lost, nothing is sent twice or damaged, and the
// spool works again.
func TestSpoolOnFullDisk(t *testing.T) {
	small := smallDisk(t)
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
