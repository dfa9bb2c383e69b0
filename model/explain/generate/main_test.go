package main

import (
	"os"
	"testing"
)

func TestDocumentsAreFresh(t *testing.T) {
	for name, want := range map[string]string{"causes.md": causes(), "rules.md": rules()} {
		got, err := os.ReadFile("../../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("docs/%s is not what the sources give: run go generate ./model", name)
		}
	}
}
