package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// licenceFile is how modules name the files that must go with their code.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|unlicense)([-._].*)?$`)

// licences writes NOTICE: the licence texts of all modules in any of the binaries,
// after closetrace's own and that of Go.
func (r *release) licences() error {
	modules := map[string]string{} // path to version
	for _, t := range targets {
		info, err := buildinfo.ReadFile(r.binary(t))
		if err != nil {
			return err
		}
		for _, m := range info.Deps {
			modules[m.Path] = m.Version
		}
	}
	var text bytes.Buffer
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	if err := appendLicences(&text, "closetrace", r.root); err != nil {
		return err
	}
	if err := appendLicences(&text, "the Go programming language", string(bytes.TrimSpace(goroot))); err != nil {
		return err
	}
	paths := make([]string, 0, len(modules))
	for path := range modules {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		dir, err := r.moduleDir(path + "@" + modules[path])
		if err != nil {
			return err
		}
		if err := appendLicences(&text, path+" "+modules[path], dir); err != nil {
			return err
		}
	}
	return os.WriteFile(r.part("NOTICE"), text.Bytes(), 0o644)
}

func (r *release) moduleDir(module string) (string, error) {
	c := exec.Command("go", "mod", "download", "-json", module)
	c.Dir = r.root
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", module, err)
	}
	var m struct{ Dir string }
	return m.Dir, json.Unmarshal(out, &m)
}

// appendLicences fails where a module has no licence: it could not be given away.
func appendLicences(text *bytes.Buffer, name, dir string) error {
	found := false
	for _, folder := range []string{dir, filepath.Join(dir, "LICENSES"), filepath.Join(dir, "bpf")} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.IsDir() || !licenceFile.MatchString(e.Name()) && filepath.Base(folder) != "LICENSES" {
				continue
			}
			body, err := os.ReadFile(filepath.Join(folder, e.Name()))
			if err != nil {
				return err
			}
			found = true
			fmt.Fprintf(text, "==== %s: %s\n\n%s\n", name, e.Name(), bytes.TrimSpace(body))
		}
	}
	if !found {
		return fmt.Errorf("%s has no licence file in %s", name, dir)
	}
	return nil
}

// sboms writes a CycloneDX document for each binary, from what Go built into it.
func (r *release) sboms() error {
	for _, t := range targets {
		info, err := buildinfo.ReadFile(r.binary(t))
		if err != nil {
			return err
		}
		bom := cdx.NewBOM()
		bom.Metadata = &cdx.Metadata{
			Timestamp: r.date.Format("2006-01-02T15:04:05Z"),
			Component: &cdx.Component{Type: cdx.ComponentTypeApplication, Name: "closetrace", Version: r.version, BOMRef: "closetrace"},
		}
		components := []cdx.Component{{
			Type: cdx.ComponentTypeLibrary, Name: "std", Version: info.GoVersion[2:], BOMRef: "std",
			PackageURL: "pkg:golang/std@" + info.GoVersion[2:],
		}}
		for _, m := range info.Deps {
			url := "pkg:golang/" + m.Path + "@" + m.Version
			components = append(components, cdx.Component{Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, BOMRef: url, PackageURL: url})
		}
		bom.Components = &components
		var text bytes.Buffer
		if err := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.out, fmt.Sprintf("closetrace-%s-%s.cdx.json", r.number(), t)), text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
