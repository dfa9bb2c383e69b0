package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// checksums writes SHA256SUMS in the form that sha256sum -c reads.
func (r *release) checksums() error {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		sum, err := sha256Of(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s  %s\n", sum, e.Name())
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), text.Bytes(), 0o644)
}

func sha256Of(path string) (string, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

//go:embed formulas
var templates embed.FS

// formulas writes what package managers need, from templates: the names and
// checksums of the archives are those of this release.
func (r *release) formulas() error {
	t, err := template.New("").Funcs(template.FuncMap{
		"archive": func(system string) (string, error) {
			for _, t := range targets {
				if t.String() == system {
					return r.archiveName(t), nil
				}
			}
			return "", fmt.Errorf("%s is not built", system)
		},
		"targets": func() (all []map[string]string) {
			for _, t := range targets {
				all = append(all, map[string]string{"os": t.os, "arch": t.arch, "name": t.String(), "program": t.program()})
			}
			return all
		},
		"replace": strings.ReplaceAll,
		"sha256":  func(name string) (string, error) { return sha256Of(filepath.Join(r.out, name)) },
		"url": func(name string) string {
			return "https://github.com/closetrace/closetrace/releases/download/" + r.version + "/" + name
		},
	}).ParseFS(templates, "formulas/*")
	if err != nil {
		return err
	}
	folder := filepath.Join(r.out, "formulas")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, one := range t.Templates() {
		var text bytes.Buffer
		if err := one.Execute(&text, map[string]string{"Version": r.number()}); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, one.Name()), text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
