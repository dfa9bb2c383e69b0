package tui

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCopyToFile: y pressed again writes what it sent to the terminal to a new file that
// only its owner reads; on another row, or after another key, y sends again.
func TestCopyToFile(t *testing.T) {
	r := newRig(t, 140, 30, demoFeed(), func(c *Config) { c.JSON = toJSON })
	if r.press("y") == nil {
		t.Fatal("y sends nothing")
	}
	r.shows("the record as JSON: sent to the terminal (OSC 52); y again writes it to a file")
	r.add(feedRecordAt(r.time)) // the selection follows the newest
	r.tick(frame)
	r.press("y")
	r.shows("write it to: closetrace-row-20261120-172300.json")
	path := filepath.Join(t.TempDir(), "record.json")
	r.s.prompt.input.SetValue(path)
	r.run(r.press("enter"))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ ID string }
	if err := json.Unmarshal(data, &got); err != nil || got.ID != demoFeed()[399].Teardown.ID || !strings.HasSuffix(string(data), "}\n") {
		t.Errorf("the file has %q (%v), want the JSON of the last record", data, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v, want mode 0600", info, err)
	}
	r.press("y")
	r.press("k")
	if r.press("y") == nil || r.s.prompt != nil {
		t.Error("y on another row asks for a file and sends nothing")
	}
	r.tick(noticeTime + 2*frame)
	if r.press("y") == nil || r.s.prompt != nil {
		t.Error("y after its notice has gone asks for a file and sends nothing")
	}
	r.press("3", "y", "y")
	r.shows("write it to: closetrace-row-20261120-172308.txt")
}
