package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// target is a system that a binary is made for.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "-" + t.arch }

func (t target) program() string {
	if t.os == "windows" {
		return "closetrace.exe"
	}
	return "closetrace"
}

// On macOS closetrace reads recordings, traces and captures; it does not trace there.
var targets = []target{
	{"linux", "amd64"},
	{"linux", "arm64"},
	{"windows", "amd64"},
	{"windows", "arm64"},
	{"darwin", "amd64"},
	{"darwin", "arm64"},
}

func (r *release) binary(t target) string { return r.part(t.String(), t.program()) }

func (r *release) binaries() error {
	for _, t := range targets {
		if err := r.compile(t, r.binary(t)); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
	}
	return nil
}

func (r *release) compile(t target, path string) error {
	flags := fmt.Sprintf("-s -w -buildid= -X main.release=%s -X main.commit=%s -X main.date=%s", r.version, r.commit, r.date.Format(time.RFC3339))
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", path, "./cmd/closetrace")
	c.Dir = r.root
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOFLAGS=-mod=readonly")
	c.Stderr = os.Stderr
	return c.Run()
}

var shells = []string{"bash", "zsh", "fish", "powershell"}

// documents asks the binary of this host for its man pages and completions.
func (r *release) documents() error {
	host := target{runtime.GOOS, runtime.GOARCH}
	man, completions := r.part("man"), r.part("completions")
	for _, folder := range []string{man, completions} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if out, err := exec.Command(r.binary(host), "man", man).CombinedOutput(); err != nil {
		return fmt.Errorf("man pages: %w: %s", err, out)
	}
	for _, shell := range shells {
		text, err := exec.Command(r.binary(host), "completion", shell).Output()
		if err != nil {
			return fmt.Errorf("completion of %s: %w", shell, err)
		}
		if err := os.WriteFile(filepath.Join(completions, "closetrace."+shell), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
