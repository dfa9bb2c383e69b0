package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The witness is a reader written from the kernel's description of the format,
// strict about alignment.
func readCpio(t *testing.T, b []byte) (names []string, modes map[string]string, files map[string]string) {
	t.Helper()
	modes, files = map[string]string{}, map[string]string{}
	number := func(header []byte, field int) int {
		n, err := strconv.ParseUint(string(header[6+8*field:14+8*field]), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		return int(n)
	}
	align := func(n int) int { return (n + 3) &^ 3 }
	for at := 0; ; {
		header := b[at : at+110]
		if string(header[:6]) != "070701" {
			t.Fatalf("magic at %d: got %q", at, header[:6])
		}
		nameSize, size := number(header, 11), number(header, 6)
		name := string(b[at+110 : at+110+nameSize])
		if !strings.HasSuffix(name, "\x00") {
			t.Fatalf("name %q does not end with NUL", name)
		}
		name = strings.TrimSuffix(name, "\x00")
		at = align(at + 110 + nameSize)
		if name == "TRAILER!!!" {
			return names, modes, files
		}
		names = append(names, name)
		modes[name] = fmt.Sprintf("%o", number(header, 1))
		files[name] = string(b[at : at+size])
		at = align(at + size)
	}
}

func TestArchiveIsReadableAndOrdered(t *testing.T) {
	var buffer bytes.Buffer
	a := newArchive(&buffer)
	a.file("/bin/test", 0o755, []byte("12345"))
	a.file("bin/other", 0o644, nil)
	a.file("/bin/test", 0o755, []byte("ignored"))
	a.dirMode("/tmp", 0o1777)
	a.dir("/")
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	names, modes, files := readCpio(t, buffer.Bytes())
	// The kernel makes no folder by itself: bin must come before its files.
	if got, want := strings.Join(names, " "), "bin bin/test bin/other tmp"; got != want {
		t.Errorf("names: got %q, want %q", got, want)
	}
	for name, want := range map[string]string{"bin": "40755", "bin/test": "100755", "tmp": "41777"} {
		if got := modes[name]; got != want {
			t.Errorf("mode of %s: got %s, want %s", name, got, want)
		}
	}
	if got := files["bin/test"]; got != "12345" {
		t.Errorf("bin/test: got %q, want the first content", got)
	}
}

func TestArchiveFollowsLinksInATree(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	for file, text := range map[string]string{filepath.Join(outside, "far"): "far away", filepath.Join(dir, "near"): "near"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "far"), filepath.Join(dir, "link")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	var buffer bytes.Buffer
	a := newArchive(&buffer)
	if err := a.tree(dir, "/w/testdata"); err != nil {
		t.Fatal(err)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	_, _, files := readCpio(t, buffer.Bytes())
	if files["w/testdata/near"] != "near" || files["w/testdata/link"] != "far away" {
		t.Errorf("got %q", files)
	}
}
