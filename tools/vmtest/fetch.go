package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// fetcher fills the cache DIR/SERIES/RELEASE.
type fetcher struct {
	dir  string
	arch string
	apt  *apt
	all  []debPackage
}

func fetchCommand(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("vmtest fetch", flag.ContinueOnError)
	dir := set.String("dir", "", "`folder` of the cache")
	series := set.String("series", "5.10,6.1,6.12,6.12.107,7.2", "comma-separated kernel series or releases; a -rt or -plain behind one asks for another flavour than cloud")
	arch := set.String("arch", runtime.GOARCH, "architecture of the kernels: amd64 or arm64")
	missing := set.Bool("missing", false, "ask the mirror only for series of which the cache has no kernel")
	mirror := set.String("mirror", "", "`URI` of a Debian mirror (default: the one that this machine uses)")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *dir == "" {
		return errors.New("-dir is missing")
	}
	f := &fetcher{arch: *arch}
	var err error
	if f.dir, err = filepath.Abs(*dir); err != nil {
		return err
	}
	wanted := strings.Split(*series, ",")
	if *missing {
		wanted = slices.DeleteFunc(wanted, f.has)
	}
	if len(wanted) == 0 {
		return nil
	}
	if err := f.readLists(ctx, *mirror); err != nil {
		// A suite may be gone or the network be down: what is left may do.
		fmt.Fprintln(os.Stderr, "vmtest: read the package lists:", err)
	}
	var failed error
	for _, s := range wanted {
		if err := f.series(ctx, s); err != nil {
			failed = errors.Join(failed, fmt.Errorf("fetch kernel %s: %w", s, err))
		}
	}
	return failed
}

func (f *fetcher) has(series string) bool {
	_, err := openKernel(filepath.Join(f.dir, series), f.arch)
	return err == nil
}

func (f *fetcher) readLists(ctx context.Context, mirror string) error {
	var err error
	if f.apt, err = newApt(ctx, f.dir, f.arch, mirror); err != nil {
		return err
	}
	updateErr := f.apt.update(ctx)
	f.all, err = f.apt.kernels(ctx)
	return errors.Join(updateErr, err)
}

// series makes sure that the cache has the newest kernel of one series that can
// be had. If none can be had now, one from before will do.
func (f *fetcher) series(ctx context.Context, series string) error {
	// The lists may name packages that the mirror no longer has.
	const most = 8
	dir := filepath.Join(f.dir, series)
	candidates := images(f.all, series)
	var failed error
	for _, image := range candidates[:min(most, len(candidates))] {
		note, err := f.image(ctx, dir, image)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if number, _ := splitFlavour(series); failed != nil || !inSeries(image.Version, number) {
			note += ", the newest of the series that the mirror has"
		}
		fmt.Printf("%-9s %s, %s (%s)\n", series, release(image), image.Version, note)
		return nil
	}
	k, err := openKernel(dir, f.arch)
	if err == nil {
		fmt.Printf("%-9s %s, %s (cached, and not to be had now)\n", series, k.Release, k.Version)
		return nil
	}
	if len(candidates) == 0 {
		failed = fmt.Errorf("not for %s in the suites that vmtest reads", f.arch)
	}
	return failed
}

// image makes sure that one kernel is in the cache and says how it got there.
func (f *fetcher) image(ctx context.Context, dir string, image debPackage) (note string, err error) {
	parts := imageParts(f.all, image)
	without := ""
	if lacksModules(parts) {
		without = " without modules, which the mirror no longer has"
	}
	if cached(filepath.Join(dir, release(image)), parts) {
		return "cached" + without, nil
	}
	return "fetched" + without, f.fetch(ctx, dir, release(image), parts)
}

// cached reports whether dir was unpacked from exactly these packages and its
// kernel image is still what it was.
func cached(dir string, parts []debPackage) bool {
	k, err := readKernel(dir)
	if err != nil || len(k.Packages) != len(parts) {
		return false
	}
	for i, p := range parts {
		if k.Packages[i] != packageSum(p) {
			return false
		}
	}
	sum, err := fileSum(k.imagePath())
	return err == nil && sum == k.ImageSum
}

// fetch downloads and unpacks beside the final folder, so that an interrupted
// download never looks like a kernel.
func (f *fetcher) fetch(ctx context.Context, dir, release string, parts []debPackage) error {
	work, err := os.MkdirTemp(f.dir, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	tree := filepath.Join(work, "tree")
	m := manifest{Release: release, Version: parts[0].Version, Arch: f.arch}
	for _, p := range parts {
		if err := f.unpack(ctx, work, tree, p); err != nil {
			return err
		}
		m.Packages = append(m.Packages, packageSum(p))
	}
	if err := os.RemoveAll(filepath.Join(tree, "usr", "share")); err != nil { // documentation
		return err
	}
	if err := m.seal(tree); err != nil {
		return err
	}
	final := filepath.Join(dir, release)
	if err := errors.Join(os.RemoveAll(final), os.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	return os.Rename(tree, final)
}

// unpack downloads one package into work, checks it and unpacks it into tree.
func (f *fetcher) unpack(ctx context.Context, work, tree string, p debPackage) error {
	deb, err := f.apt.download(ctx, work, p)
	if err != nil {
		return err
	}
	sum, err := fileSum(deb)
	if err != nil {
		return err
	}
	if sum != p.SHA256 {
		return fmt.Errorf("%s has SHA-256 %s, the list says %s", filepath.Base(deb), sum, p.SHA256)
	}
	_, err = output(exec.CommandContext(ctx, "dpkg-deb", "-x", deb, tree))
	return err
}

// seal completes the manifest and writes it.
func (m *manifest) seal(tree string) error {
	release, image, err := findImage(tree)
	if err != nil {
		return err
	}
	if release != m.Release {
		return fmt.Errorf("the package of %s holds kernel %s", m.Release, release)
	}
	m.Image = image
	if m.ImageSum, err = fileSum(filepath.Join(tree, image)); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(tree, manifestName), append(text, '\n'), 0o644)
}

func fileSum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
