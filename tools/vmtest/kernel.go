package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// manifest records where a cached kernel came from. It is written last: a
// folder without one is an interrupted download.
type manifest struct {
	Release  string // as uname -r prints it
	Version  string // of the Debian package, with the upstream version in front
	Arch     string // Debian's name: amd64, arm64
	Image    string // path of the kernel image in the folder
	ImageSum string // SHA-256 of the image
	Packages []packageSum
}

// packageSum is what the list said about a package that was unpacked.
type packageSum debPackage

const manifestName = "manifest.json"

// kernel is an unpacked kernel in the cache.
type kernel struct {
	manifest
	dir string
}

func (k kernel) imagePath() string { return filepath.Join(k.dir, k.Image) }

// openKernel opens dir, or the newest kernel for arch in the folders of dir.
func openKernel(dir, arch string) (kernel, error) {
	k, err := readKernel(dir)
	if err == nil && k.Arch == arch {
		return k, nil
	}
	kernels, err := cachedKernels(dir, arch)
	if err != nil {
		return kernel{}, err
	}
	if len(kernels) == 0 {
		return kernel{}, fmt.Errorf("no %s kernel in %s: get one with vmtest fetch", arch, dir)
	}
	newest := kernels[0]
	for _, k := range kernels[1:] {
		if compareVersions(k.Version, newest.Version) > 0 {
			newest = k
		}
	}
	return newest, nil
}

// cachedKernels lists the complete kernels for arch in the folders of dir.
func cachedKernels(dir, arch string) ([]kernel, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*", manifestName))
	if err != nil {
		return nil, err
	}
	var found []kernel
	for _, path := range paths {
		k, err := readKernel(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		if k.Arch == arch {
			found = append(found, k)
		}
	}
	return found, nil
}

func readKernel(dir string) (kernel, error) {
	k := kernel{dir: dir}
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return k, err
	}
	if err := json.Unmarshal(data, &k.manifest); err != nil {
		return k, fmt.Errorf("read %s: %w", filepath.Join(dir, manifestName), err)
	}
	return k, nil
}

// findImage returns the release and the path in dir of the only kernel image.
// Packages before 7.0 have it in boot, later ones beside the modules.
func findImage(dir string) (release, image string, err error) {
	boot, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil {
		return "", "", err
	}
	for _, path := range boot {
		release = strings.TrimPrefix(filepath.Base(path), "vmlinuz-")
		return release, filepath.Join("boot", filepath.Base(path)), nil
	}
	lib, err := filepath.Glob(filepath.Join(dir, "usr", "lib", "modules", "*", "vmlinuz"))
	if err != nil {
		return "", "", err
	}
	for _, path := range lib {
		image, err = filepath.Rel(dir, path)
		return filepath.Base(filepath.Dir(path)), image, err
	}
	return "", "", errors.New("no kernel image in the package")
}

// compareVersions orders version strings by their numbers: 6.9 before 6.12.
// Other characters compare as bytes, which is enough among kernels of one
// series; it is not the whole of Debian's rule.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		x, restA := versionPart(a)
		y, restB := versionPart(b)
		if len(x) != len(y) && isDigit(x[0]) && isDigit(y[0]) {
			return len(x) - len(y)
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
		a, b = restA, restB
	}
	return len(a) - len(b)
}

// versionPart cuts off a number without its leading zeros, or one character.
func versionPart(s string) (part, rest string) {
	if !isDigit(s[0]) {
		return s[:1], s[1:]
	}
	end := 1
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	for end > 1 && s[0] == '0' {
		s, end = s[1:], end-1
	}
	return s[:end], s[end:]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
