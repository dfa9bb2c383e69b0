//go:build linux

package tracer

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// structs returns a file with the BTF of empty structs.
func structs(t *testing.T, names ...string) []byte {
	t.Helper()
	var all []btf.Type
	for _, name := range names {
		all = append(all, &btf.Struct{Name: name})
	}
	return marshal(t, all)
}

func marshal(t *testing.T, types []btf.Type) []byte {
	t.Helper()
	b, err := btf.NewBuilder(types, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestReadTypesRefuses: a file that has no types of this kernel is refused in one line.
func TestReadTypesRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, text []byte, size int64) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if size > 0 {
			if err := os.Truncate(path, size); err != nil { // sparse
				t.Fatal(err)
			}
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	good := structs(t, "tcp_sock", "task_struct")
	foreign := map[string]string{"amd64": "cpuinfo_arm64", "arm64": "cpuinfo_x86"}[runtime.GOARCH]
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, says string }{
		{"no file", filepath.Join(dir, "none"), "no such file"},
		{"a folder", dir, "not a file"},
		{"a FIFO", fifo, "not a file"},
		{"an empty file", file("empty", nil, 0), "empty"},
		{"text", file("text", []byte(strings.Repeat("not BTF\n", 9)), 0), "neither BTF nor a kernel"},
		{"a packed file", file("xz", []byte("\xfd7zXZ\x00 and what follows it, packed"), 0), "unpack"},
		{"2 GB of BTF", file("long", good, 2<<30), "2048 MB"},
		{"2 GB of ELF", file("elf", []byte("\x7fELF and nothing of it is a header"), 2<<30), "ELF"},
		{"a program", self, "no types"},
		{"half a file", file("half", good[:len(good)/2+8], 0), "cannot be read"},
		{"types of something else", file("other", structs(t, "tcp_sock"), 0), "no struct task_struct"},
		{"types of another architecture", file("arch", structs(t, "tcp_sock", "task_struct", foreign), 0), "this one is for " + runtime.GOARCH},
	} {
		_, err := readTypes(c.path)
		if !errors.Is(err, ErrTypesFile) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want a line that says %q", c.name, err, c.says)
		}
	}
	if _, err := readTypes(file("good", good, 0)); err != nil {
		t.Errorf("the types of a kernel are refused: %v", err)
	}
}

// TestBrokenTypes: a file that is cut off, or whose bytes are changed, is refused when it is
// read or when it is used, and nothing panics.
func TestBrokenTypes(t *testing.T) {
	whole, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		t.Skip(err)
	}
	path := filepath.Join(t.TempDir(), "broken")
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 20 {
		text := append([]byte(nil), whole...)
		if i%2 == 0 {
			text = text[:r.IntN(len(text))]
		} else {
			for range 1000 {
				text[r.IntN(len(text))] = byte(r.Uint32())
			}
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		spec, err := readTypes(path)
		if i%2 == 0 && err == nil {
			t.Errorf("%d bytes of %d are not refused", len(text), len(whole))
		}
		if err == nil {
			parameters(spec, "tcp_reset")
			resetReasons(&types{file: spec})
		}
	}
}

// TestTypesPlaces: the folders of BTFHub's archive come before the one name for all.
func TestTypesPlaces(t *testing.T) {
	root := t.TempDir()
	put := func(name string, text []byte) string {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, _, err := findTypes(root, "5.10.1-x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing is there: got %v", err)
	}
	good := structs(t, "tcp_sock", "task_struct")
	arch := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	for _, path := range []string{"usr/lib/closetrace/btf/5.10.1-x.btf", "usr/lib/closetrace/btf/ubuntu/20.04/" + arch + "/5.10.1-x.btf"} {
		put("etc/os-release", []byte("NAME=\"Ubuntu\"\nID=ubuntu\nVERSION_ID=\"20.04\"\n"))
		want := put(path, good)
		if _, got, err := findTypes(root, "5.10.1-x"); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

// TestTypesOfAnotherKernel: types that put a field elsewhere are refused, although the
// programs load by them.
func TestTypesOfAnotherKernel(t *testing.T) {
	if missing := missingCapabilities(); len(missing) > 0 {
		t.Skip(&PrivilegeError{missing})
	}
	OpenOrSkip(t, Options{Mode: Raw}).Close()
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		t.Skip(err)
	}
	var all []btf.Type
	for typ, err := range spec.All() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, typ)
		if s, ok := typ.(*btf.Struct); ok && s.Name == "tcp_sock" {
			for i := range s.Members {
				if s.Members[i].Name == "linger2" {
					s.Members[i].Offset -= 128
				}
			}
		}
	}
	path := filepath.Join(t.TempDir(), "moved.btf")
	if err := os.WriteFile(path, marshal(t, all), 0o600); err != nil {
		t.Fatal(err)
	}
	tr, err := Open(Options{Types: path})
	if err == nil {
		tr.Close()
	}
	if !errors.Is(err, ErrTypesFile) || !strings.Contains(err.Error(), path) {
		t.Errorf("tcp_sock.linger2 is elsewhere: got %v, want ErrTypesFile", err)
	}
}

// TestRawUsesNoTypesOfTheKernel: where none are to be seen, the back end works by those of a
// file, with programs of types that the kernel attaches by no type of its own.
func TestRawUsesNoTypesOfTheKernel(t *testing.T) {
	OpenOrSkip(t, Options{Mode: Raw}).Close()
	text, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		t.Skip(err)
	}
	path := filepath.Join(t.TempDir(), "kernel.btf")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("none", "/sys/kernel/btf", "tmpfs", 0, "")); err != nil {
		t.Skip(err)
	}
	tr, err := Open(Options{Types: path})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if tr.Mode() != Raw {
		t.Errorf("the back end is %v, want raw", tr.Mode())
	}
	for name, p := range tr.loaded.objects.Programs {
		switch p.Type().String() {
		case "RawTracepoint", "CGroupSock", "CGroupSockAddr":
		default:
			t.Errorf("%s is a program of type %v", name, p.Type())
		}
	}
	if err := tr.loaded.missingReason("signal_sent"); err != nil {
		t.Errorf("signals are not seen: %v", err)
	}
}
