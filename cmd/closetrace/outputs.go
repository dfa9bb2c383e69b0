package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/internal/safefile"
	"github.com/closetrace/closetrace/internal/sandbox"
)

// outputs is where a trace makes files once its privileges are dropped. The zero value is
// anywhere.
type outputs struct {
	folder safefile.Folder
	path   string
}

// openOutputs opens the folder of a file to come; "-" has none.
func openOutputs(box *sandbox.Box, file string) (outputs, error) {
	if file == "-" {
		return outputs{}, nil
	}
	path, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return outputs{}, fmt.Errorf("find the folder of %s: %w", file, err)
	}
	folder, err := box.Folder(filepath.Dir(file))
	return outputs{folder, path}, safefile.ForFile(err, file)
}

func (o outputs) close() error {
	if o.folder == nil {
		return nil
	}
	return o.folder.Close()
}

// in returns the folder in which path can be made; nil is the one that path names.
func (o outputs) in(path string) (safefile.Folder, error) {
	if o.folder == nil {
		return nil, nil
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err == nil && folder != o.path {
		err = fmt.Errorf("%s: %w: without privileges closetrace writes in %s only; start it elsewhere, or with --no-sandbox", path, fs.ErrPermission, o.path)
	}
	return o.folder, err
}

// create makes a file for text. It never replaces one.
func (o outputs) create(path string) (*os.File, error) {
	folder, err := o.in(path)
	switch {
	case err != nil:
		return nil, err
	case folder == nil:
		return safefile.Create(path, false)
	}
	return folder.Create(filepath.Base(path), false)
}

// recording returns the options for one in the folder of path.
func (o outputs) recording(path string) (record.Options, error) {
	folder, err := o.in(path)
	return record.Options{Folder: folder}, err
}
