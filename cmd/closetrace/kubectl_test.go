package main

import (
	"os"
	"strings"
	"testing"
)

// TestImageIsPushed: the image that kubectl runs unless told otherwise is one that a
// release pushes.
func TestImageIsPushed(t *testing.T) {
	for version, tag := range map[string]string{
		"v1.2.3": "v1.2.3", "devel": "latest", "devel-0123456789ab": "latest", "v1.2.3+dirty": "latest",
		"v1.2.4-0.20261120172300-0123456789ab": "latest",
	} {
		if got := imageOf(version); got != imageName+tag {
			t.Errorf("%s: %s, want the tag %s", version, got, tag)
		}
	}
	workflow, err := os.ReadFile("../../.github/workflows/release.yml")
	if err != nil {
		t.Skip(err) // in a guest
	}
	for _, tag := range []string{"$GITHUB_REF_NAME", "latest"} {
		if !strings.Contains(string(workflow), "docker://ghcr.io/$GITHUB_REPOSITORY:"+tag) {
			t.Errorf("release.yml does not push %s", tag)
		}
	}
}
