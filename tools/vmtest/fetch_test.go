package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const index = `Package: linux-image-6.1-cloud-amd64
Version: 6.1.999-1

Package: linux-image-6.1.0-9-cloud-amd64
Version: 6.1.99-1
SHA256: old

Package: linux-image-6.1.0-10-cloud-amd64
Source: linux-signed-amd64 (6.1.192+2)
Version: 6.1.192-2
Filename: pool/x.deb
SHA256: new

Package: linux-image-6.1.0-10-rt-amd64
Version: 6.1.192-2

Package: linux-image-6.1.0-11-rt-amd64-unsigned
Version: 6.1.193-1

Package: linux-image-6.1.0-9-amd64
Version: 6.1.99-2

Package: linux-image-6.12.111+deb12-cloud-amd64
Version: 6.12.111-1

Package: linux-image-6.12.107+deb12-cloud-amd64-unsigned
Version: 6.12.107-1

Package: linux-image-7.2.13+deb14-cloud-amd64
Version: 7.2.13-1

Package: linux-modules-7.2.13+deb14-cloud-amd64
Version: 7.2.13-1

Package: linux-modules-7.2.13+deb14-cloud-amd64
Version: 7.2.13-0

Package: linux-binary-7.2.13+deb14-cloud-amd64
Version: 7.2.13-1
`

func TestImagesOfASeriesNewestFirst(t *testing.T) {
	all, err := parsePackages(strings.NewReader(index))
	if err != nil {
		t.Fatal(err)
	}
	for series, want := range map[string]string{
		"6.1":      "6.1.192-2 6.1.99-1",
		"6.1.99":   "6.1.99-1 6.1.192-2",
		"6.12":     "6.12.111-1",
		"6.12.107": "6.12.111-1", // gone: its series stands in
		"7.2":      "7.2.13-1",
		// Flavours are never mistaken for each other.
		"6.1-cloud": "6.1.192-2 6.1.99-1", "6.1.7-rt": "6.1.192-2", "6.1-plain": "6.1.99-2", "6.12-rt": "",
		// 6.1 must never be mistaken for 6.12, nor 7.2 stand in for 7.1.
		"6": "", "7.1": "", "5.10": "",
	} {
		var got []string
		for _, p := range images(all, series) {
			got = append(got, p.Version)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", series, got, want)
		}
	}
}

func TestImageParts(t *testing.T) {
	all, err := parsePackages(strings.NewReader(index))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	parts := imageParts(all, images(all, "7.2")[0])
	if lacksModules(parts) || !lacksModules(parts[:2]) || lacksModules(parts[:1]) {
		t.Error("modules: that they are there, are not, or are in the image is not told right")
	}
	for _, p := range parts {
		got = append(got, p.Name+"="+p.Version)
	}
	want := "linux-image-7.2.13+deb14-cloud-amd64=7.2.13-1 " +
		"linux-binary-7.2.13+deb14-cloud-amd64=7.2.13-1 linux-modules-7.2.13+deb14-cloud-amd64=7.2.13-1"
	if strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCompareVersions(t *testing.T) {
	ascending := []string{"", "5.10.262-1", "6.1.9-1", "6.1.99-1", "6.1.192-2", "6.12.107-1~deb12u1", "6.12.117-1", "7.2.13-1"}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := compareVersions(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("compareVersions(%q, %q): got %d", a, b, got)
			}
		}
	}
	if got := compareVersions("6.01", "6.1"); got != 0 {
		t.Errorf("leading zeros: got %d, want 0", got)
	}
}

func TestCacheIsValidOnlyForTheSameHashes(t *testing.T) {
	dir := t.TempDir()
	image := filepath.Join(dir, "boot", "vmlinuz-6.1.0-10-cloud-amd64")
	if err := os.MkdirAll(filepath.Dir(image), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, image, "kernel")
	parts := []debPackage{{Name: "a", Version: "1", SHA256: "new"}}
	if cached(dir, parts) {
		t.Error("a folder without a manifest counts as cached")
	}
	m := manifest{Release: "6.1.0-10-cloud-amd64", Version: "6.1.192-2", Arch: "amd64", Packages: []packageSum{packageSum(parts[0])}}
	if err := m.seal(dir); err != nil {
		t.Fatal(err)
	}
	if !cached(dir, parts) {
		t.Error("a sealed folder does not count as cached")
	}
	if cached(dir, []debPackage{{Name: "a", Version: "1", SHA256: "newer"}}) {
		t.Error("another package hash counts as cached")
	}
	writeFile(t, image, "damaged")
	if cached(dir, parts) {
		t.Error("a damaged image counts as cached")
	}
}

func TestOpenKernelTakesTheNewestOfItsArchitecture(t *testing.T) {
	dir := t.TempDir()
	for _, m := range []manifest{
		{Release: "9", Version: "6.1.99-1", Arch: "amd64"},
		{Release: "10", Version: "6.1.192-2", Arch: "amd64"},
		{Release: "11", Version: "6.1.193-1", Arch: "arm64"},
	} {
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, m.Release), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, m.Release, manifestName), string(text))
	}
	for path, want := range map[string]string{dir: "10", filepath.Join(dir, "9"): "9"} {
		if k, err := openKernel(path, "amd64"); err != nil || k.Release != want {
			t.Errorf("%s: got %q, %v, want %q", path, k.Release, err, want)
		}
	}
	if k, err := openKernel(t.TempDir(), "amd64"); err == nil {
		t.Errorf("empty folder: got %q, want an error", k.Release)
	}
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
