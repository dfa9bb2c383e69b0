package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	spoolFiles = "closetrace.diskqueue."
	spoolMeta  = spoolFiles + "meta.dat"
)

// salvage puts the files of a spool aside if its own file cannot be true, as after damage to
// the disk: the queue would look for each file between its two numbers, and say so, a line
// for each of up to 2^63, or wait until it has written as much as it believes to have read.
func salvage(dir string, log func(string, ...any)) error {
	text, err := os.Open(filepath.Join(dir, spoolMeta))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open spool: %w", err)
	}
	defer text.Close()
	var depth, readFile, readAt, writeFile, writeAt int64
	if _, err := fmt.Fscanf(text, "%d\n%d,%d\n%d,%d\n", &depth, &readFile, &readAt, &writeFile, &writeAt); err != nil {
		return putAside(dir, log)
	}
	parts, err := filesOf(dir)
	if err != nil {
		return err
	}
	last := sizeOf(filepath.Join(dir, fmt.Sprintf("%s%06d.dat", spoolFiles, writeFile)))
	// Batches, and nothing to read: the queue would wait for them for ever. If the last file is
	// longer than the queue's file says, the queue itself reads on and finds out.
	nothing := depth > 0 && readFile == writeFile && readAt == writeAt && writeAt == last
	// After a crash the file may be a little older than the others.
	if nothing || depth < 0 || readFile < 0 || readAt < 0 || writeAt < 0 || writeFile < readFile || writeFile-readFile > int64(len(parts))+16 ||
		writeFile == readFile && writeAt < readAt || writeAt > last {
		return putAside(dir, log)
	}
	return nil
}

// sizeOf is 0 if there is no file.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func filesOf(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), spoolFiles) && strings.HasSuffix(e.Name(), ".dat") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func putAside(dir string, log func(string, ...any)) error {
	all, err := filesOf(dir)
	log("the spool %s is damaged: its files are kept as *.bad, and what they have is not sent", dir)
	for _, name := range all {
		path := filepath.Join(dir, name)
		err = errors.Join(err, os.Rename(path, path+".bad"))
	}
	if err != nil {
		return fmt.Errorf("open spool: %w", err)
	}
	return nil
}
