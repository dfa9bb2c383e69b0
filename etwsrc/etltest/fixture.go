package etltest

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Fixture returns the content of a real trace. The folder is
// $CLOSETRACE_FIXTURES, or shared/fixtures beside the repository; without it
// the test is skipped, unless $CLOSETRACE_REQUIRE contains "etl". A name that
// ends with .zip gives the archive's only .etl file.
func Fixture(tb testing.TB, name string) []byte {
	tb.Helper()
	path := filepath.Join(fixtures(), "etl", name)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), "etl") {
		tb.Skipf("the real trace %s is not here: %v", name, err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	if filepath.Ext(name) == ".zip" {
		return unzip(tb, data)
	}
	return data
}

func fixtures() string {
	if dir := os.Getenv("CLOSETRACE_FIXTURES"); dir != "" {
		return dir
	}
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..", "shared", "fixtures")
}

func unzip(tb testing.TB, data []byte) []byte {
	tb.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range archive.File {
		if filepath.Ext(f.Name) != ".etl" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			tb.Fatal(err)
		}
		defer r.Close()
		content, err := io.ReadAll(r)
		if err != nil {
			tb.Fatal(err)
		}
		return content
	}
	tb.Fatal("no .etl file in the archive")
	return nil
}
