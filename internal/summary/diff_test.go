package summary

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestHints: the z-test's numbers are from a textbook's table of the normal
// distribution: 50 of 1000 against 80 of 1000 gives z = 2.72.
func TestHints(t *testing.T) {
	if z := zScore(50, 1000, 80, 1000); math.Abs(z-2.7208) > 0.001 {
		t.Errorf("got z %v, want 2.7208", z)
	}
	for _, test := range []struct {
		a, n, b, m uint64
		want       Hint
	}{
		{50, 1000, 80, 1000, Possible},
		{50, 1000, 200, 1000, Clear},
		{50, 1000, 52, 1000, Noise},
		{0, 1000, 3, 1000, Few},
		{0, 1000, 100, 1000, Clear},
		{5, 5, 0, 0, Few},
		{1000, 1000, 1000, 1000, Noise},
	} {
		if got := hint(zScore(test.a, test.n, test.b, test.m), test.a, test.n, test.b, test.m); got != test.want {
			t.Errorf("%d of %d and %d of %d: got %s, want %s", test.a, test.n, test.b, test.m, got, test.want)
		}
	}
}

func TestCompareFindsWhatChanged(t *testing.T) {
	before, after := New(), New()
	add := func(s *Summary, n int, name string, v model.Verdict, c model.Cause) {
		for i := range n {
			r := model.Record{Kind: model.KindTeardown}
			r.Teardown.Time = start.Add(time.Duration(i) * time.Second)
			r.Teardown.Verdict, r.Teardown.Cause, r.Teardown.Process.Name = v, c, name
			s.Add(&r)
		}
	}
	add(before, 900, "nginx", model.Graceful, model.CauseFIN)
	add(before, 100, "cron", model.Abortive, model.CausePeerReset)
	add(after, 900, "nginx", model.Graceful, model.CauseFIN)
	add(after, 300, "nginx", model.Abortive, model.CauseUnreadData)
	c := Compare(before, after)
	if w := c.Whys[0]; w.Process != "nginx" || w.Cause != "unread-data" || w.Before != 0 || w.After != 300 || w.Hint != Clear {
		t.Errorf("first change: got %+v, want nginx unread-data, new and clear", w)
	}
	if w := c.Whys[1]; w.Process != "cron" || w.words() != "gone, clear" {
		t.Errorf("second change: got %+v (%s), want cron gone", w, w.words())
	}
	var out bytes.Buffer
	if err := c.Text(&out, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "nginx unread-data") {
		t.Error(out.String())
	}
}
