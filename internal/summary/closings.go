package summary

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// maxClosings bounds what is kept of how ends were closed: names are the system's.
const maxClosings = 200

// closing counts an end that an exit, a signal or another process than the owner closed.
func (s *Summary) closing(t *model.Teardown) {
	c := &t.Closer
	what := ""
	switch {
	case c.Signal != 0:
		what = fmt.Sprintf("exit signal %d (%s)", c.Signal, model.SignalName(c.Signal))
	case c.Call == model.CallExit:
		what = "exit"
	case t.CloseNote() != "":
		what = "closed by another process"
	default:
		return
	}
	name := c.Name
	if name == "" && (c.PID == 0 || c.PID == t.Process.PID) {
		name = t.Process.Name
	}
	key := what + " " + cmp.Or(short(name), "pid "+strconv.Itoa(c.PID))
	if _, known := s.closings[key]; known || len(s.closings) < maxClosings {
		s.closings[key]++
	}
}

// closers writes how ends were closed, the most frequent first.
func (p *page) closers(s *Summary) {
	keys := slices.SortedFunc(maps.Keys(s.closings), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.closings[b], s.closings[a]), cmp.Compare(a, b))
	})
	if len(keys) == 0 {
		return
	}
	var parts []string
	for _, key := range keys[:min(len(keys), 5)] {
		parts = append(parts, clip(key, 50)+" "+human.Count(s.closings[key]))
	}
	if len(keys) > 5 {
		parts = append(parts, "and more")
	}
	p.line("closed by exit, signal or another process: %s", strings.Join(parts, ", "))
}
