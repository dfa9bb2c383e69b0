package tui

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/model"
)

// TestHostileNamesNeverReachTheTerminal fills every string of a record with
// what terminals obey, and looks at every view.
func TestHostileNamesNeverReachTheTerminal(t *testing.T) {
	const evil = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202egnp\u200b\r\nroot \x9b1m\x00"
	r := feedRecordAt(at)
	d := &r.Teardown
	d.ID, d.Rule, d.ConfidenceReason, d.Confidence = evil, evil, evil, model.Inferred
	d.Process.Name, d.Process.Executable.Path, d.Process.User.Name, d.Process.CommandLine = evil, evil, evil, evil
	d.Process.User.ID = model.Some(uint32(0))
	d.Closer.Name, d.Container = evil, model.Container{ID: evil, Runtime: evil, Name: evil}
	d.K8s.Pod, d.K8s.Namespace.Name, d.Cgroup.Path, d.Systemd.Unit = model.Pod{UID: evil, Name: evil}, evil, evil, evil
	d.TCP.Error, d.TCP.RST.Reason = evil, evil
	d.Evidence.SoftError, d.Evidence.Events = evil, []model.EventRef{{Provider: evil, ID: 1}}
	d.Network.Peer.Address = netip.MustParseAddr("fe80::1").WithZone(evil)
	failed := r
	failed.Kind, failed.Error = model.KindCloseFailed, evil
	stray := failed
	stray.Kind, stray.Stray = model.KindStray, model.Stray{Count: 2, First: at, Ended: at, Why: model.StrayEnded}
	outcome := r
	outcome.Kind = model.KindOutcome
	loss := lossRecord(at, 1)
	loss.Loss.Where = evil
	start := model.Start{Backend: evil, Host: model.Host{Name: evil}, OS: model.OS{Type: evil, Version: evil}, Filter: evil}
	records := []model.Record{r, failed, stray, loss, r, outcome, {Kind: model.KindStart, Start: start}, {Kind: model.KindStop, Stop: model.Stop{Reason: evil}}}
	for range 3 { // each without what named its place before
		switch d := &r.Teardown; {
		case d.K8s.Pod.Name != "":
			d.K8s = model.K8s{}
		case d.Container.Name != "":
			d.Container.Name = ""
		default:
			d.Container = model.Container{}
		}
		records = append(records, r)
	}
	s := newRig(t, 250, 60, records, func(c *Config) {
		c.Start = start
		c.JSON = toJSON
		c.Record = (&disk{}).create
		c.Open = func() ([]OpenConn, error) { return []OpenConn{{Facts: model.Facts{Process: d.Process}}}, nil }
	})
	look := func(where string) {
		t.Helper()
		content := s.s.View().Content
		if s.s.detail != nil {
			content += s.s.detail.pages.GetContent()
		}
		for _, c := range ansi.Strip(content) {
			if c != '\n' && (unicode.IsControl(c) || unicode.In(c, unicode.Cf, unicode.Bidi_Control)) {
				t.Fatalf("%s: %U reaches the terminal", where, c)
			}
		}
		if strings.Contains(content, "\x1b]") || strings.Contains(content, "\x1b[2J") {
			t.Fatalf("%s: an escape sequence of the record reaches the terminal", where)
		}
	}
	for _, key := range []string{
		"2", "g", "enter", "n", "n", "n", "n", "p", "esc", "3", "4", "x", "5", "enter", "esc", "x", "enter", "esc", "Y", "6",
	} {
		s.press(key)
		look(key)
	}
	s.run(s.s.conns.poll(s.s))
	look("open")
	s.send(connsMsg{err: errors.New(evil)})
	look("open failed")
	s.press("f")
	s.s.prompt.err = evil
	look("wrong filter")
	s.press("esc")
	s.in.end(errors.New(evil))
	s.tick(time.Minute)
	look("source failed")
	s.in.end(nil)
	s.in.recording.err = errors.New(evil)
	s.tick(time.Minute)
	look("recording failed")
	s.send(doneMsg{err: errors.New(evil)})
	look("notice")
	s.s.query = query{text: evil, expr: evil}
	s.s.replay, s.s.cfg.Replay = &player{}, &Replay{Name: evil}
	look("filter and file name")
}
