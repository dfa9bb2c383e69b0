package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSpoolInEmptyDir: a volume of Kubernetes has mode 0777. A spool in it is taken, and
// nobody else can exchange it then; one that is the volume itself is not.
func TestSpoolInEmptyDir(t *testing.T) {
	folder := t.TempDir()
	if err := unix.Mount("none", folder, "tmpfs", 0, "size=1m,mode=777"); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(folder, 0)
	if err := MakeSpool(folder, 0); !errors.Is(err, errSpool) {
		t.Errorf("the volume itself: %v, want that it is refused", err)
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	spool := filepath.Join(folder, "spool")
	if err := MakeSpool(spool, 0); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode()&fs.ModeSticky == 0 || info.Mode().Perm() != 0o777 {
		t.Errorf("the volume is %v, %v: others can exchange what is in it", info.Mode(), err)
	}
	if info, err := os.Stat(spool); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the spool is %v, %v", info, err)
	}
}
