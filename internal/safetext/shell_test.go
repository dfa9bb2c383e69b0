package safetext

import (
	"os/exec"
	"testing"
)

// TestQuoted: a shell takes what is quoted for one word, and runs nothing in it.
func TestQuoted(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	for _, s := range []string{
		"", "cause == \"fin\"", `process.name == "';id>/tmp/x;'"`, `'`, `'\''`, `\'`, "$(id)`id`;id", "a\nid", "\u0301'",
	} {
		got, err := exec.Command(sh, "-c", "printf %s "+Quoted(s)).Output() // #nosec G204 -- a test
		if err != nil || string(got) != Escape(s) {
			t.Errorf("the shell makes %q of %s: %v", got, Quoted(s), err)
		}
	}
}
