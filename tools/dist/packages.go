package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/apk"
	_ "github.com/goreleaser/nfpm/v2/arch"
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// formats are the package formats; setcap names the package that has setcap there.
var formats = []struct{ name, setcap string }{
	{"deb", "libcap2-bin"},
	{"rpm", "libcap"},
	{"apk", "libcap-setcap"},
	{"archlinux", "libcap"},
}

func (r *release) packages() error {
	for _, t := range targets {
		if t.os != "linux" {
			continue
		}
		for _, f := range formats {
			if err := r.pack(t, f.name, f.setcap); err != nil {
				return fmt.Errorf("%s %s: %w", f.name, t, err)
			}
		}
	}
	return nil
}

func (r *release) pack(t target, format, setcap string) error {
	info, err := r.info(t)
	if err != nil {
		return err
	}
	info.Depends = []string{setcap} // unpacked and set up before postinstall.sh runs
	info = nfpm.WithDefaults(info)
	if err = nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	path := filepath.Join(r.out, packager.ConventionalFileName(info))
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := packager.Package(info, out); err != nil {
		return err
	}
	return out.Close()
}

func (r *release) info(t target) (*nfpm.Info, error) {
	install, err := r.script("postinstall.sh")
	if err != nil {
		return nil, err
	}
	remove, err := r.script("postremove.sh")
	if err != nil {
		return nil, err
	}
	return &nfpm.Info{
		Name: "closetrace", Arch: t.arch, Platform: "linux", Version: r.version, VersionSchema: "semver",
		Section: "net", Priority: "optional", MTime: r.date,
		Maintainer:  "closetrace maintainers <maintainers@closetrace.invalid>",
		Description: "trace why TCP connections end\n closetrace traces every TCP connection teardown on a host and shows how it\n ended, why, who did it, which process, and which bytes were lost.",
		Homepage:    "https://github.com/closetrace/closetrace", License: "Apache-2.0 AND (GPL-2.0-only OR BSD-2-Clause)",
		Overridables: nfpm.Overridables{
			Contents:  r.contents(t),
			Scripts:   nfpm.Scripts{PostInstall: install, PostRemove: remove},
			ArchLinux: nfpm.ArchLinux{Packager: "closetrace maintainers <maintainers@closetrace.invalid>"},
			RPM:       nfpm.RPM{Group: "Applications/Internet", BuildHost: "closetrace"},
		},
	}, nil
}

// script copies a script, with the time of the release: an apk keeps the time of
// the file that it is made from, which is when git wrote it.
func (r *release) script(name string) (string, error) {
	body, err := os.ReadFile(filepath.Join(r.root, "tools/dist/files", name))
	if err != nil {
		return "", err
	}
	path := r.part(name)
	if err := os.WriteFile(path, body, 0o755); err != nil {
		return "", err
	}
	return path, os.Chtimes(path, r.date, r.date)
}

// contents are the installed files. The program is readable for root only until
// postinstall.sh gives it to the group closetrace.
func (r *release) contents(t target) files.Contents {
	all := []file{
		{"/usr/bin/closetrace", r.binary(t), 0o750},
		{"/usr/lib/systemd/system/closetrace.service", filepath.Join(r.root, "tools/dist/files/closetrace.service"), 0o644},
		{"/usr/lib/systemd/system/closetrace-agent.service", filepath.Join(r.root, "deploy/systemd/closetrace-agent.service"), 0o644},
		{"/usr/share/bash-completion/completions/closetrace", r.part("completions", "closetrace.bash"), 0o644},
		{"/usr/share/zsh/site-functions/_closetrace", r.part("completions", "closetrace.zsh"), 0o644},
		{"/usr/share/fish/vendor_completions.d/closetrace.fish", r.part("completions", "closetrace.fish"), 0o644},
		{"/usr/share/doc/closetrace/copyright", r.part("NOTICE"), 0o644},
		{"/usr/share/doc/closetrace/README.md", filepath.Join(r.root, "README.md"), 0o644},
	}
	var c files.Contents
	for _, f := range append(all, r.manPages("/usr/share/man/man8/")...) {
		c = append(c, &files.Content{Source: f.source, Destination: f.name, FileInfo: &files.ContentFileInfo{Mode: f.mode, Owner: "root", Group: "root", MTime: r.date}})
	}
	return append(c, &files.Content{
		Source: filepath.Join(r.root, "deploy/systemd/agent.yaml"), Destination: "/etc/closetrace/agent.yaml", Type: files.TypeConfigNoReplace,
		FileInfo: &files.ContentFileInfo{Mode: 0o644, Owner: "root", Group: "root", MTime: r.date},
	})
}
