package incidents

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// expect diagnoses what the scene's namespaces have recorded. The first finding must be
// want; others that alarm must be among also.
func (s *scene) expect(want string, also ...string) *findings.Finding {
	s.t.Helper()
	return s.expectOf(want, func(*model.Record) bool { return true }, also...)
}

func (s *scene) expectOf(want string, which func(*model.Record) bool, also ...string) *findings.Finding {
	s.t.Helper()
	var r *findings.Report
	for range 40 { // ends are held for 100 ms, and the last may be late
		time.Sleep(250 * time.Millisecond)
		if r = s.diagnose(which); len(r.Findings) > 0 && r.Findings[0].ID == want {
			break
		}
	}
	text, _ := json.MarshalIndent(r.Findings, "", " ")
	if len(r.Findings) == 0 || r.Findings[0].ID != want {
		s.tell()
		s.t.Fatalf("want finding %s first, got: %s", want, text)
	}
	for _, f := range r.Findings {
		if f.Harm >= findings.Medium && f.ID != want && !slices.Contains(also, f.ID) {
			s.t.Errorf("a wrong finding: %s", f.Title)
		}
	}
	if s.t.Failed() {
		s.t.Logf("%s", text)
	}
	s.t.Logf("%s", r.Findings[0].Title)
	return &r.Findings[0]
}

// diagnose looks at the records of the scene's namespaces.
func (s *scene) diagnose(which func(*model.Record) bool) *findings.Report {
	engine := findings.New()
	shared.mutex.Lock()
	defer shared.mutex.Unlock()
	for i := range shared.records[s.from:] {
		if r := &shared.records[s.from+i]; of(r, s.inodes) && which(r) {
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

// says checks parts of a sentence.
func says(t *testing.T, f *findings.Finding, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(f.Title, p) {
			t.Errorf("%q does not say %q", f.Title, p)
		}
	}
}
