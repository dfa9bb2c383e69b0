package summary

import (
	"bytes"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestClosings: an OOM-killed worker's connections end graceful, and the summary says
// what closed them (case 18).
func TestClosings(t *testing.T) {
	s := New()
	for i, c := range []model.Closer{
		{PID: 7, Name: "gunicorn", Call: model.CallExit, Signal: 9},
		{PID: 7, Name: "gunicorn", Call: model.CallExit, Signal: 9},
		{PID: 8, Name: "child", Call: model.CallExit},
		{PID: 7, Name: "gunicorn", Call: model.CallClose},
	} {
		r := model.Record{Kind: model.KindTeardown}
		r.Teardown.Time, r.Teardown.ID = model.Time(1e18), string(rune('a'+i))
		r.Teardown.Process, r.Teardown.Closer = model.Process{PID: 7, Name: "gunicorn"}, c
		s.Add(&r)
	}
	var out bytes.Buffer
	if err := s.Text(&out, TextOptions{Width: 120}); err != nil {
		t.Fatal(err)
	}
	if want := "closed by exit, signal or another process: exit signal 9 (SIGKILL) gunicorn 2, exit child 1\n"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, &out)
	}
}

// TestClosingsKeepLittle: a file may have names of megabytes.
func TestClosingsKeepLittle(t *testing.T) {
	s := New()
	r := model.Record{Kind: model.KindTeardown}
	r.Teardown.Time, r.Teardown.Closer = model.Time(1e18), model.Closer{PID: 7, Name: strings.Repeat("n", 4<<20), Call: model.CallExit}
	s.Add(&r)
	for key := range s.closings {
		if len(key) > 2*maxName {
			t.Errorf("a key has %d bytes", len(key))
		}
	}
}
