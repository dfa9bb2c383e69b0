package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// suites have Debian's kernels: 5.10 is in bullseye, 6.1 and 6.12 in bookworm,
// the newest in sid, and some that left sid in trixie-backports.
var suites = [...]struct {
	name     string
	security bool
}{
	{"bullseye", false},
	{"bullseye-security", true},
	{"bookworm", false},
	{"bookworm-security", true},
	{"trixie-backports", false},
	{"sid", false},
}

// apt asks Debian's package manager with lists and settings of its own, so that
// nothing of the machine changes and root is not needed.
type apt struct {
	dir  string // holds the lists
	arch string
}

// newApt writes the settings. Without a mirror it takes the machine's own.
func newApt(ctx context.Context, dir, arch, mirror string) (*apt, error) {
	a := &apt{dir: filepath.Join(dir, "apt-"+arch), arch: arch}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	main, security := mirror, strings.TrimSuffix(mirror, "/")+"-security"
	if mirror == "" {
		var err error
		if main, security, err = machineMirrors(ctx); err != nil {
			return nil, err
		}
	}
	var sources strings.Builder
	for _, s := range suites {
		from := main
		if s.security {
			from = security
		}
		// The security suites of old releases may be past their date.
		fmt.Fprintf(&sources, "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg "+
			"check-valid-until=no] %s %s main\n", from, s.name)
	}
	if err := os.WriteFile(filepath.Join(a.dir, "sources.list"), []byte(sources.String()), 0o644); err != nil {
		return nil, err
	}
	return a, os.WriteFile(filepath.Join(a.dir, "status"), nil, 0o644)
}

// machineMirrors finds the Debian mirrors that this machine uses.
func machineMirrors(ctx context.Context) (main, security string, err error) {
	list, err := output(exec.CommandContext(ctx, "apt-get", "indextargets",
		"--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages", "Origin: Debian"))
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(list)) {
		label, uri, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch label {
		case "Debian":
			main = uri
		case "Debian-Security":
			security = uri
		}
	}
	if main == "" {
		return "", "", fmt.Errorf("apt knows no Debian mirror: run apt-get update, or give -mirror")
	}
	if security == "" {
		security = strings.TrimSuffix(main, "/") + "-security"
	}
	return main, security, nil
}

// command runs one of apt's programs in folder dir with the private settings.
func (a *apt) command(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	set := func(key, value string) []string { return []string{"-o", key + "=" + value} }
	var options []string
	options = append(options, set("Dir::Etc::sourcelist", filepath.Join(a.dir, "sources.list"))...)
	options = append(options, set("Dir::Etc::sourceparts", "/dev/null")...)
	options = append(options, set("Dir::State", a.dir)...)
	options = append(options, set("Dir::State::lists", filepath.Join(a.dir, "lists"))...)
	options = append(options, set("Dir::State::status", filepath.Join(a.dir, "status"))...)
	options = append(options, set("Dir::Cache", filepath.Join(a.dir, "cache"))...)
	options = append(options, set("APT::Architecture", a.arch)...)
	options = append(options, set("APT::Architectures", a.arch)...)
	options = append(options, set("APT::Sandbox::User", "root")...)
	options = append(options, set("Acquire::Languages", "none")...)
	options = append(options, set("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false")...)
	cmd := exec.CommandContext(ctx, program, append(options, args...)...)
	cmd.Dir = dir
	return output(cmd)
}

// update reads the lists anew.
func (a *apt) update(ctx context.Context) error {
	_, err := a.command(ctx, a.dir, "apt-get", "update")
	return err
}

var kernelPackage = regexp.MustCompile(`^linux-(image|base|binary|modules)-\d+\.\d+\.\d+\S*-(amd64|arm64)$`)

// kernels returns all kernel packages in the lists.
func (a *apt) kernels(ctx context.Context) ([]debPackage, error) {
	names, err := a.command(ctx, a.dir, "apt-cache", "pkgnames", "linux-")
	if err != nil {
		return nil, err
	}
	show := []string{"show"}
	for name := range strings.FieldsSeq(string(names)) {
		if kernelPackage.MatchString(name) {
			show = append(show, name)
		}
	}
	if len(show) == 1 {
		return nil, fmt.Errorf("apt's lists have no kernels for %s", a.arch)
	}
	text, err := a.command(ctx, a.dir, "apt-cache", show...)
	if err != nil {
		return nil, err
	}
	return parsePackages(bytes.NewReader(text))
}

// download puts a package into the folder dir and returns its path there. Apt
// checks the file against the signed list.
func (a *apt) download(ctx context.Context, dir string, p debPackage) (string, error) {
	if _, err := a.command(ctx, dir, "apt-get", "download", p.Name+"="+p.Version); err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, p.Name+"_*.deb"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("apt-get download %s left %d files", p.Name, len(found))
	}
	return found[0], nil
}

// output runs cmd; its error has what the program said.
func output(cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run %s: %w\n%s", filepath.Base(cmd.Path), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}
