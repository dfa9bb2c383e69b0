package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// verdict collects what the guest reports and decides how the run ends.
type verdict struct {
	request *request
	release string
	stdout  io.Writer
	stderr  io.Writer
	code    int
	kernel  []string // lines about problems from the kernel's log
}

func (v *verdict) handle(f frame) error {
	switch f.kind {
	case frameOutput:
		_, err := v.stdout.Write(f.data)
		return err
	case frameNote:
		_, err := fmt.Fprintf(v.stderr, "vmtest: guest: %s\n", f.data)
		return err
	case frameKernel:
		v.kernel = append(v.kernel, string(f.data))
		return nil
	case frameFile:
		return v.saveFile(f)
	case frameExit:
		code, err := strconv.Atoi(string(f.data))
		if err != nil {
			return fmt.Errorf("read the exit code: %w", err)
		}
		v.code = code
		return nil
	default:
		return fmt.Errorf("unknown frame %q", f.kind)
	}
}

// saveFile writes a file of the guest to where -get wants it, and nowhere else.
func (v *verdict) saveFile(f frame) error {
	for _, g := range v.request.get {
		rel, err := filepath.Rel(g[0], f.name)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		target := filepath.Join(g[1], rel)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, f.data, 0o644)
	}
	return fmt.Errorf("the guest sent %s, which was not asked for", f.name)
}

// conclude returns the exit code of the whole run. A test that passed while the
// kernel complained has not passed.
func (v *verdict) conclude() (int, error) {
	if len(v.kernel) == 0 || v.request.dmesg == "ignore" {
		return v.code, nil
	}
	fmt.Fprintf(v.stderr, "vmtest: kernel %s logged:\n\t%s\n", v.release, strings.Join(v.kernel, "\n\t"))
	if v.request.dmesg == "show" || v.code != 0 {
		return v.code, nil
	}
	return machineFailed, errors.New("the test passed, but the kernel's log has problems (see -dmesg)")
}

// showConsole prints the end of the console of a guest that ended badly.
func (v *verdict) showConsole(file string) {
	const most = 80
	text, err := os.ReadFile(file)
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		fmt.Fprintf(v.stderr, "vmtest: kernel %s printed nothing on its console\n", v.release)
		return
	}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\r", "")), "\n")
	lines = lines[max(0, len(lines)-most):]
	fmt.Fprintf(v.stderr, "vmtest: console of kernel %s:\n\t%s\n", v.release, strings.Join(lines, "\n\t"))
}
