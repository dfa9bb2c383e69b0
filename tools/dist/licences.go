package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// licenceFile is how modules name the files that must go with their code.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|unlicense)([-._].*)?$`)

// licences writes NOTICE: the licence texts of all packages in any of the binaries, and of
// what they embed, after closetrace's own and that of Go.
func (r *release) licences() error {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	modules := map[string]*module{}
	for _, t := range targets {
		if err := r.linked(t, modules); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
	}
	var text bytes.Buffer
	for _, first := range []*module{
		{name: "closetrace", root: r.root, folders: map[string]bool{r.root: true, filepath.Join(r.root, "LICENSES"): true}},
		{name: "the Go programming language", root: string(bytes.TrimSpace(goroot)), folders: map[string]bool{string(bytes.TrimSpace(goroot)): true}},
	} {
		if err := first.append(&text); err != nil {
			return err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		if err := modules[path].append(&text); err != nil {
			return err
		}
	}
	return os.WriteFile(r.part("NOTICE"), text.Bytes(), 0o644)
}

// module is one that is linked, with the folders of its packages and of what they embed, up
// to its root: some packages come from elsewhere, with a licence of their own.
type module struct {
	name, root string
	folders    map[string]bool
}

// linked adds the modules of a binary.
func (r *release) linked(t target, modules map[string]*module) error {
	c := exec.Command("go", "list", "-deps", "-json=Dir,EmbedFiles,Module", "./cmd/closetrace")
	c.Dir, c.Stderr = r.root, os.Stderr
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOFLAGS=-mod=readonly")
	out, err := c.Output()
	if err != nil {
		return err
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p struct {
			Dir        string
			EmbedFiles []string
			Module     *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := decoder.Decode(&p); err != nil {
			return err
		}
		if p.Module == nil {
			continue // Go's own
		}
		m := modules[p.Module.Path]
		if m == nil {
			m = &module{name: strings.TrimSpace(p.Module.Path + " " + p.Module.Version), root: p.Module.Dir, folders: map[string]bool{}}
			modules[p.Module.Path] = m
		}
		for _, file := range append(p.EmbedFiles, "of the package") {
			folder := filepath.Dir(filepath.Join(p.Dir, file))
			for ; folder != m.root && len(folder) > len(m.root); folder = filepath.Dir(folder) {
				m.folders[folder] = true
			}
			m.folders[m.root] = true
		}
		if p.Module.Main {
			delete(m.folders, m.root) // comes first
		}
	}
	return nil
}

// append fails where a module has no licence: it could not be given away.
func (m *module) append(text *bytes.Buffer) error {
	found := false
	for _, folder := range slices.Sorted(maps.Keys(m.folders)) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.IsDir() || !licenceFile.MatchString(e.Name()) && filepath.Base(folder) != "LICENSES" {
				continue
			}
			body, err := os.ReadFile(filepath.Join(folder, e.Name()))
			if err != nil {
				return err
			}
			within, err := filepath.Rel(m.root, filepath.Join(folder, e.Name()))
			if err != nil {
				return err
			}
			found = true
			fmt.Fprintf(text, "==== %s: %s\n\n%s\n\n", m.name, filepath.ToSlash(within), bytes.TrimSpace(body))
		}
	}
	if !found {
		return fmt.Errorf("%s has no licence file in %s", m.name, m.root)
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
