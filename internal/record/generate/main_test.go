package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestWhatIsCommittedIsFresh(t *testing.T) {
	const root = "../../.."
	all, err := files(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range all {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the types of package model say: go generate ./internal/record", name)
		}
	}
}
