package safefile

import (
	"fmt"
	"io"
	"os"
)

// Read returns what a small file has. It waits for nobody: what is no regular file, as a
// pipe or a device that another user has put there, is refused, and so is one of more
// than most bytes.
func Read(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|doNotWait, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return Limited(f, path, most)
}

// Limited returns all that is in r, named path, unless it is more than most bytes.
func Limited(r io.Reader, path string, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return data, err
}
