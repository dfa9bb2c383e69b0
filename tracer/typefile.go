//go:build linux

package tracer

import (
	"bytes"
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/privilege"
)

// ErrTypesFile is matched by errors about a file that does not have the types of this
// kernel.
var ErrTypesFile = errors.New("not the types of this kernel")

// typesFolder is where files with types are looked for.
const typesFolder = "/usr/lib/closetrace/btf"

// typesMax bounds a file: the types of kernels take 4 to 10 MB.
const typesMax = 128 << 20

// wrongTypes is an ErrTypesFile.
type wrongTypes struct{ text string }

func (e wrongTypes) Error() string { return e.text }

func (wrongTypes) Unwrap() error { return ErrTypesFile }

func wrong(format string, args ...any) error { return wrongTypes{fmt.Sprintf(format, args...)} }

// typesPlaces returns the files that may have the types of a kernel, best first: the
// layout of BTFHub's archive, and one name for each kernel.
func typesPlaces(root, release string) []string {
	system, _ := os.ReadFile(filepath.Join(root, "etc/os-release"))
	folder := filepath.Join(root, typesFolder)
	return []string{
		filepath.Join(folder, osRelease(system, "ID"), osRelease(system, "VERSION_ID"), hubArch(), release+".btf"),
		filepath.Join(folder, release+".btf"),
	}
}

// osRelease reads os-release(5).
func osRelease(text []byte, name string) string {
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return filepath.Base(strings.Trim(strings.TrimSpace(value), `"'`))
		}
	}
	return "linux" // its default for ID
}

// hubArch is the architecture as BTFHub names it.
func hubArch() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// findTypes returns the types of a kernel from the first place that has a file.
func findTypes(root, release string) (*btf.Spec, string, error) {
	for _, path := range typesPlaces(root, release) {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		spec, err := readTypes(path)
		return spec, path, err
	}
	return nil, "", os.ErrNotExist
}

// readTypes reads the types of a kernel from a file with BTF, or from a kernel (ELF) with
// a section that has it.
func readTypes(path string) (*btf.Spec, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO must not wait
	if err != nil {
		return nil, wrong("%v", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, wrong("%v", err)
	}
	if !st.Mode().IsRegular() {
		return nil, wrong("%s is not a file", path)
	}
	if privilege.Borrowed() && !onlyRoots(st) {
		return nil, wrong("%s is not root's alone: by types of his own, who has the capabilities of closetrace's file could read "+
			"memory of the kernel; run as root, or let root own it: chown root:root, chmod go-w", path)
	}
	text, err := typesIn(f, st.Size())
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(text))
	if err != nil {
		return nil, wrong("%s cannot be read as BTF: %v", path, err)
	}
	if err := checkTypes(spec); err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return spec, nil
}

// onlyRoots: nobody else can change the file.
func onlyRoots(st os.FileInfo) bool {
	owner, ok := st.Sys().(*syscall.Stat_t)
	return ok && owner.Uid == 0 && st.Mode().Perm()&0o022 == 0
}

// typesIn returns the BTF in a file.
func typesIn(f io.ReaderAt, size int64) ([]byte, error) {
	start := make([]byte, 24) // struct btf_header
	if n, _ := f.ReadAt(start, 0); n < len(start) {
		return nil, wrong("is empty or too short for BTF")
	}
	if string(start[:4]) == elf.ELFMAG {
		return sectionIn(f)
	}
	switch magic := string(start[:2]); {
	case string(start[:6]) == "\xfd7zXZ\x00":
		return nil, wrong("is packed: unpack it by tar -xJf first")
	case magic != "\x9f\xeb" && magic != "\xeb\x9f":
		return nil, wrong("is neither BTF nor a kernel (ELF)")
	case size > typesMax:
		return nil, wrong("has %d MB, which no kernel's types have", size>>20)
	}
	text := make([]byte, size)
	if n, err := f.ReadAt(text, 0); int64(n) < size {
		return nil, wrong("cannot be read: %v", err)
	}
	return text, nil
}

func sectionIn(f io.ReaderAt) ([]byte, error) {
	file, err := elf.NewFile(f)
	if err != nil {
		return nil, wrong("is a broken ELF file: %v", err)
	}
	s := file.Section(".BTF")
	if s == nil {
		return nil, wrong("has no types (section .BTF); make them: pahole --btf_encode_detached=FILE it")
	}
	if s.Size > typesMax {
		return nil, wrong("has %d MB of types, which no kernel has", s.Size>>20)
	}
	text, err := s.Data()
	if err != nil {
		return nil, wrong("is a broken ELF file: %v", err)
	}
	return text, nil
}

// checkTypes looks for what every kernel has, and what only other architectures have.
func checkTypes(spec *btf.Spec) error {
	for _, name := range []string{"tcp_sock", "task_struct"} {
		var s *btf.Struct
		if err := spec.TypeByName(name, &s); err != nil {
			return wrong("has no struct %s: it is not of a kernel, or not whole (%v)", name, err)
		}
	}
	for arch, name := range map[string]string{"amd64": "cpuinfo_x86", "arm64": "cpuinfo_arm64"} {
		var s *btf.Struct
		if arch != runtime.GOARCH && spec.TypeByName(name, &s) == nil {
			return wrong("is of a kernel for %s; this one is for %s", arch, runtime.GOARCH)
		}
	}
	return nil
}

// elsewhere is what to do about a kernel without types.
func elsewhere(release string) string {
	return fmt.Sprintf("the kernel was built without BTF (CONFIG_DEBUG_INFO_BTF): put its types into %s/%s.btf, or name their file by --btf; "+
		"they are in github.com/aquasecurity/btfhub-archive, or made of its vmlinux with debug symbols by pahole --btf_encode_detached (docs/kernels.md)",
		typesFolder, cmp.Or(release, "RELEASE"))
}
