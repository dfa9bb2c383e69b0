package incidents

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// says waits until the first finding about the scene is want, says all parts (in the sentence or
// the advice), and no other alarms but those of s.also. What comes last may come late.
func (s *scene) says(want string, parts ...string) *findings.Finding {
	s.t.Helper()
	var list []findings.Finding
	wrong := "not looked yet"
	for range 80 {
		time.Sleep(250 * time.Millisecond) // ends are held for 100 ms
		list = s.diagnose().Findings
		if wrong = s.misses(list, want, parts); wrong == "" {
			s.t.Logf("%s", list[0].Title)
			return &list[0]
		}
	}
	text, _ := json.MarshalIndent(list, "", " ")
	s.tell()
	s.t.Fatalf("%s, got: %s", wrong, text)
	return nil
}

// misses tells what is wrong with a report, "" if nothing is.
func (s *scene) misses(list []findings.Finding, want string, parts []string) string {
	if len(list) == 0 || list[0].ID != want {
		return "want finding " + want + " first"
	}
	for _, p := range parts {
		if !strings.Contains(list[0].Title, p) && !strings.Contains(list[0].Advice, p) {
			return fmt.Sprintf("%q does not say %q", list[0].Title, p)
		}
	}
	for _, f := range list {
		if f.Harm >= findings.Medium && f.ID != want && !slices.Contains(s.also, f.ID) {
			return "a wrong finding: " + f.Title
		}
	}
	return ""
}

// diagnose looks at the records of the scene's namespaces.
func (s *scene) diagnose() *findings.Report {
	engine := findings.New()
	shared.mutex.Lock()
	defer shared.mutex.Unlock()
	for i := range shared.records[s.from:] {
		if r := &shared.records[s.from+i]; of(r, s.inodes) && (s.which == nil || s.which(r)) {
			engine.Add(r)
		}
	}
	engine.Finish()
	return engine.Report()
}

// of reports whether r is of one of these namespaces.
func of(r *model.Record, inodes []uint32) bool {
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome, model.KindStray:
		return slices.Contains(inodes, r.Teardown.Network.NetNS)
	case model.KindCounters:
		return r.Counters.Counts["VmstatOomKill"] > 0 || slices.Contains(inodes, r.Counters.Network.NetNS)
	default:
		return false
	}
}

// counted reports whether counters of a namespace of the scene were recorded.
func (s *scene) counted() bool {
	has := func() bool {
		shared.mutex.Lock()
		defer shared.mutex.Unlock()
		return slices.ContainsFunc(shared.records[s.from:], func(r model.Record) bool {
			return r.Kind == model.KindCounters && of(&r, s.inodes)
		})
	}
	for range 40 { // they come once a second
		if has() {
			return true
		}
		time.Sleep(250 * time.Millisecond)
	}
	return false
}

// tell logs the scene's ends.
func (s *scene) tell() {
	shared.mutex.Lock()
	defer shared.mutex.Unlock()
	for i := range shared.records[s.from:] {
		r := &shared.records[s.from+i]
		if !of(r, s.inodes) {
			continue
		}
		text, _ := json.Marshal(struct {
			Kind, Verdict, Cause, Name, Local, Peer string
			TCP                                     model.TCP
			Process                                 model.Process
			Acceptor                                model.Acceptor
			Closer                                  model.Closer
			Counts                                  map[string]uint64
		}{
			r.Kind.String(), r.Teardown.Verdict.String(), r.Teardown.Cause.String(), r.Teardown.Process.Name,
			r.Teardown.Network.Local.AddrPort().String(), r.Teardown.Network.Peer.AddrPort().String(), r.Teardown.TCP,
			r.Teardown.Process, r.Teardown.Acceptor, r.Teardown.Closer, r.Counters.Counts,
		})
		s.t.Logf("%s", text)
	}
}
