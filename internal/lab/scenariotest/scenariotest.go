// Package scenariotest reads the scenarios of package model for those who render ends:
// facts, and what is known to be true of them. The tests of model check the form.
package scenariotest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Truth is what really happened to an end, from whoever described or played it.
type Truth struct {
	Name       string
	Facts      model.Facts
	Verdict    model.Verdict
	Cause      model.Cause
	Initiator  model.Initiator
	Terminator model.Terminator
	Confidence model.Confidence
	Reason     string
	Blocked    model.Opt[time.Duration]
	// What a later record did to the judgement, and its cause if it retracts nothing.
	Amended, Retracted bool
	Outcome            model.Cause
}

// Unacked is the payload that was never acknowledged, 0 where nobody counted.
func (h *Truth) Unacked() uint64 { return h.Facts.TCP.Bytes.Unacked.Or(0) }

// Unread is the payload that nobody read, 0 where nobody counted.
func (h *Truth) Unread() uint64 { return h.Facts.TCP.Bytes.Unread.Or(0) }

// OtherCloser reports whether another process than the owner closed.
func (h *Truth) OtherCloser() bool {
	return h.Facts.Process.PID != 0 && h.Facts.Closer.PID != 0 && h.Facts.Process.PID != h.Facts.Closer.PID
}

// Read returns the scenarios in a directory.
func Read(t *testing.T, directory string) []Truth {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	var all []Truth
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), " ")
			value = strings.TrimSpace(value)
			if key == "==" {
				all = append(all, Truth{Name: value})
				continue
			}
			if key == "" || len(all) == 0 {
				continue
			}
			if err := all[len(all)-1].set(all, key, value); err != nil {
				t.Fatalf("%s: %s: %v", file, all[len(all)-1].Name, err)
			}
		}
		_ = f.Close()
	}
	return all
}

func (h *Truth) set(all []Truth, key, value string) error {
	switch key {
	case "like":
		h.Facts = all[slices.IndexFunc(all, func(o Truth) bool { return o.Name == value })].Facts
	case "path":
		h.Facts.TCP.Path = model.Path{}
		if value != "none" {
			return json.Unmarshal([]byte(`["`+strings.Join(strings.Fields(value), `","`)+`"]`), &h.Facts.TCP.Path)
		}
	case "time":
		return h.Facts.Time.UnmarshalText([]byte(value))
	case "tcp":
		return json.Unmarshal([]byte(value), &h.Facts.TCP)
	case "linger":
		return json.Unmarshal([]byte(value), &h.Facts.Linger)
	case "facts":
		return json.Unmarshal([]byte(value), &h.Facts.Evidence)
	case "want":
		return h.want(strings.Fields(value))
	case "reason":
		h.Reason = value
	}
	return nil
}

func (h *Truth) want(words []string) error {
	for i, into := range []interface{ UnmarshalText([]byte) error }{&h.Verdict, &h.Cause, &h.Initiator, &h.Terminator, &h.Confidence} {
		if err := into.UnmarshalText([]byte(words[i])); err != nil {
			return fmt.Errorf("want: %w", err)
		}
	}
	for _, word := range words[6:] {
		if wait, is := strings.CutPrefix(word, "blocked="); is {
			d, err := time.ParseDuration(wait)
			if err != nil {
				return fmt.Errorf("want: %w", err)
			}
			h.Blocked = model.Some(d)
		}
	}
	return nil
}
