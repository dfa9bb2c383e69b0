package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// release is what is made and where.
type release struct {
	root    string // of the checkout
	out     string
	version string // v1.2.3 or v0.0.0-dev.COMMIT
	commit  string
	date    time.Time // of the commit
}

func main() {
	out := flag.String("out", "build/dist", "directory to make; it is emptied first")
	version := flag.String("version", "", "version; default: the tag of the commit, else v0.0.0-dev")
	flag.Parse()
	if err := run(*out, *version); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func run(out, version string) error {
	r, err := newRelease(out, version)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"binaries", r.binaries},
		{"man pages and completions", r.documents},
		{"licences", r.licences},
		{"SBOM", r.sboms},
		{"archives", r.archives},
		{"packages", r.packages},
		{"image", r.image},
		{"checksums", r.checksums},
		{"formulas", r.formulas},
	} {
		fmt.Println("dist:", step.name)
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func newRelease(out, version string) (*release, error) {
	root, err := git(".", "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	commit, err := git(root, "rev-parse", "HEAD")
	if err != nil {
		return nil, err
	}
	stamp, err := git(root, "show", "-s", "--format=%cI", "HEAD")
	if err != nil {
		return nil, err
	}
	date, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return nil, err
	}
	if version == "" {
		if version, err = git(root, "describe", "--tags", "--exact-match"); err != nil {
			version = "v0.0.0-dev"
		}
	}
	if out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(out); err != nil {
		return nil, err
	}
	return &release{root, out, version, commit, date.UTC()}, os.MkdirAll(filepath.Join(out, "parts"), 0o755)
}

// part is a path of what is made on the way; the release itself is beside parts.
func (r *release) part(name ...string) string {
	return filepath.Join(append([]string{r.out, "parts"}, name...)...)
}

// number is the version without its v.
func (r *release) number() string { return strings.TrimPrefix(r.version, "v") }

func git(dir string, args ...string) (string, error) {
	c := exec.Command("git", args...)
	c.Dir = dir
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
