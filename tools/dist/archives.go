package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// file is an entry of an archive or package.
type file struct {
	name   string
	source string
	mode   os.FileMode
}

// common are the files beside the program in every archive.
func (r *release) common() []file {
	return []file{
		{"README.md", filepath.Join(r.root, "README.md"), 0o644},
		{"LICENSE", filepath.Join(r.root, "LICENSE"), 0o644},
		{"NOTICE", r.part("NOTICE"), 0o644},
	}
}

func (r *release) archiveName(t target) string {
	ending := "tar.gz"
	if t.os == "windows" {
		ending = "zip"
	}
	return fmt.Sprintf("closetrace-%s-%s.%s", r.number(), t, ending)
}

// single is what is downloaded in the middle of an incident: the program alone, under
// a name that does not change, so that the newest has a fixed address.
func (r *release) single(t target) error {
	body, err := os.ReadFile(r.binary(t))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "closetrace-"+t.String()), body, 0o755)
}

func (r *release) archives() error {
	for _, t := range targets {
		if t.os == "linux" {
			if err := r.single(t); err != nil {
				return err
			}
		}
		files := append([]file{{t.program(), r.binary(t), 0o755}}, r.common()...)
		write := r.tarball
		if t.os == "windows" {
			write = r.zipped
		} else {
			files = append(files, r.manPages("man/")...)
		}
		for _, shell := range shells {
			files = append(files, file{"completions/closetrace." + shell, r.part("completions", "closetrace."+shell), 0o644})
		}
		if err := write(filepath.Join(r.out, r.archiveName(t)), files); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
	}
	return nil
}

func (r *release) manPages(folder string) (files []file) {
	pages, _ := filepath.Glob(r.part("man", "*.8")) // sorted
	for _, page := range pages {
		files = append(files, file{folder + filepath.Base(page), page, 0o644})
	}
	return files
}

func (r *release) tarball(path string, files []file) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	zipped, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(zipped)
	for _, f := range files {
		body, err := os.ReadFile(f.source)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: "closetrace-" + r.number() + "/" + f.name, Mode: int64(f.mode), Size: int64(len(body)), ModTime: r.date, Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(body); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := zipped.Close(); err != nil {
		return err
	}
	return out.Close()
}

func (r *release) zipped(path string, files []file) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	w := zip.NewWriter(out)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: r.date}
		h.SetMode(f.mode)
		entry, err := w.CreateHeader(h)
		if err != nil {
			return err
		}
		in, err := os.Open(f.source)
		if err != nil {
			return err
		}
		_, err = io.Copy(entry, in)
		in.Close()
		if err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Close()
}
