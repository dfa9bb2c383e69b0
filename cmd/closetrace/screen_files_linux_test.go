package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestScreenInAnothersFolder: R, w and y of root's screen, started in the folder of a
// stranger, write nothing through what he put there, and say why. What they make is new
// and 0600.
func TestScreenInAnothersFolder(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	for _, sudo := range []string{"", fmt.Sprint(another)} { // root itself, and the stranger by sudo
		t.Run("SUDO_UID="+sudo, func(t *testing.T) {
			t.Setenv("SUDO_UID", sudo)
			t.Setenv("SUDO_GID", sudo)
			folder, victim := trap(t)
			if err := os.Mkdir(filepath.Join(folder, "other"), 0o777); err != nil {
				t.Fatal(err)
			}
			pair := newPair(t)
			c := exec.Command(closetrace, "--port", pair.port())
			c.Dir = folder
			p := onConsole(t, c)
			p.await("2 Stream")
			pair.client.Close()
			pair.server.Close()
			p.press("2", "2 Stream")
			p.await("graceful        fin")
			for _, key := range []struct{ press, asks string }{{"R", "record to: "}, {"w", "write to: "}, {"yy", "write it to: "}} {
				// Each message differs from the one before it.
				for _, c := range []struct{ name, want string }{
					{"link", "link is a symbolic link"},
					{"pipe", "pipe exists; choose another name"},
					{"dangling", "dangling is a symbolic link"},
					{"hard", "hard exists; choose another name"},
					{"sub/x", "writes in " + folder + " only"},
					{"other", "other is a directory"},
					{"../x", "writes in " + folder + " only"},
				} {
					p.answer(key.press, key.asks, c.name, c.want)
				}
			}
			p.answer("w", "write to: ", "new.jsonl", "wrote ")
			p.answer("yy", "write it to: ", "new.json", "wrote new.json")
			p.answer("R", "record to: ", "long.jsonl", "recording to long.jsonl")
			p.answer("R", "", "", "recorded ")
			untouched(t, victim)
			made, _ := filepath.Glob(folder + "/*.json*")
			if len(made) != 3 {
				t.Errorf("made %q", made)
			}
			for _, path := range made {
				if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 || info.Size() == 0 {
					t.Errorf("%s: %v, %v", path, info, err)
				}
			}
			p.press("q", "2 Stream")
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// answer presses keys that ask for a file, names one and waits for what is said.
func (p *console) answer(keys, asks, name, want string) {
	p.t.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
	if asks != "" {
		p.await(asks)
		const deleteToBegin = "\x15"
		if _, err := p.master.WriteString(deleteToBegin + name); err != nil {
			p.t.Fatal(err)
		}
		p.await(asks + name)
		p.press("\r", asks+name)
	}
	p.await(want)
	if asks != "" && strings.Contains(p.text(), asks+name) {
		p.t.Errorf("%s %s: still asked", keys, name)
	}
}
