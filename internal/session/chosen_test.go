package session

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestSpanOfRecords: a span has its begin and not its end. An outcome belongs to its
// teardown, the first and the last line get the bounds of the span, and losses are those of
// lines in it.
func TestSpanOfRecords(t *testing.T) {
	begin := time.Date(2026, 11, 20, 17, 0, 0, 0, time.Local)
	at := func(seconds int) model.Time { return model.TimeOf(begin.Add(time.Duration(seconds) * time.Second)) }
	ends := func(kind model.Kind, id string, seconds int) model.Record {
		r := model.Record{Kind: kind}
		r.Teardown.ID, r.Teardown.Time = id, at(seconds)
		return r
	}
	records := []model.Record{
		{Kind: model.KindStart, Start: model.Start{Time: at(0)}},
		ends(model.KindTeardown, "before", 19), ends(model.KindTeardown, "first", 20), ends(model.KindOutcome, "before", 30),
		{Kind: model.KindLoss, Loss: model.Loss{Time: at(31), Count: 3}},
		{Kind: model.KindLoss, Loss: model.Loss{Time: at(41), Count: 4}},
		ends(model.KindTeardown, "last", 39), ends(model.KindTeardown, "after", 40), ends(model.KindOutcome, "first", 50),
		ends(model.KindOutcome, "after", 60), ends(model.KindStray, "stray", 19), ends(model.KindStray, "stray", 20),
		{Kind: model.KindStop, Stop: model.Stop{Time: at(90), Lost: 7, Losses: model.Losses{Ends: 7}}},
	}
	broken := errors.New("broken file")
	for _, c := range []struct {
		since, until string
		want         []int
		from, to     model.Time
	}{
		{"2026-11-20T17:00:20", "2026-11-20T17:00:40", []int{0, 2, 3, 4, 6, 8, 11, 12}, at(20), at(40)},
		{"2026-11-20T17:00:20", "", []int{0, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12}, at(20), at(90)},
		{"", "2026-11-20T17:00:40", []int{0, 1, 2, 3, 4, 6, 8, 10, 11, 12}, at(0), at(40)},
		{"17:00:20", "17:00:40", []int{0, 2, 3, 4, 6, 8, 11, 12}, at(20), at(40)},
		{"2026-11-20T16:00:00", "2026-11-20T18:00:00", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, at(0), at(90)},
		{"2026-11-20T17:02:00", "", nil, at(120), at(120)},
	} {
		var s Span
		for m, text := range map[*Moment]string{&s.Since: c.since, &s.Until: c.until} {
			if text == "" {
				continue
			}
			if err := m.Set(text); err != nil {
				t.Fatal(err)
			}
		}
		var got, want []model.Record
		var last error
		for r, err := range (&chosenSpan{span: &s}).of(sequence(broken, records...)) {
			if last = err; err == nil {
				got = append(got, r)
			}
		}
		for _, i := range c.want {
			r := records[i]
			switch r.Kind {
			case model.KindStart:
				r.Start.Time = c.from
			case model.KindStop:
				r.Stop = model.Stop{Time: c.to}
			default:
			}
			want = append(want, r)
		}
		same := func(a, b model.Record) bool {
			return a.Kind == b.Kind && a.Time() == b.Time() && a.Teardown.ID == b.Teardown.ID && a.Stop.Lost == b.Stop.Lost && a.Stop.Losses == b.Stop.Losses
		}
		if !slices.EqualFunc(got, want, same) || !errors.Is(last, broken) {
			t.Errorf("since %q until %q: got %d records, %v, want %v of them", c.since, c.until, len(got), last, c.want)
		}
		for range (&chosenSpan{span: &s}).of(sequence(nil, records...)) {
			break // a consumer that leaves
		}
	}
}

func TestChosenInWords(t *testing.T) {
	filter, err := model.CompileFilter("true")
	if err != nil {
		t.Fatal(err)
	}
	since, until := Moment{text: "17:00"}, Moment{text: "18:00"}
	for want, c := range map[string]struct {
		span   Span
		filter *model.Filter
	}{
		"": {}, "since 17:00": {Span{Since: since}, nil}, "until 18:00": {Span{Until: until}, nil},
		"what matches true": {Span{}, filter}, "what matches true, since 17:00 until 18:00": {Span{since, until}, filter},
	} {
		if got := c.span.Chosen(c.filter); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestMoments: each form of a time is read, one without a zone is local.
func TestMoments(t *testing.T) {
	local := time.Date(2026, 11, 20, 17, 3, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"2026-11-20T17:03:00": local, "2026-11-20 17:03:00": local, "2026-11-20T17:03": local, "2026-11-20 17:03": local,
		"2026-11-20": local.Add(-17*time.Hour - 3*time.Minute), "2026-11-20T17:03:00Z": time.Date(2026, 11, 20, 17, 3, 0, 0, time.UTC),
		"2026-11-20T17:03:00+02:00": time.Date(2026, 11, 20, 15, 3, 0, 0, time.UTC),
	} {
		m := Moment{clock: true} // of an earlier Set
		if err := m.Set(text); err != nil || m.clock || !m.at.Equal(want) || m.String() != text {
			t.Errorf("%s: got %v, clock %v, %v, want %v", text, m.at, m.clock, err, want)
		}
	}
	for text, want := range map[string]string{"17:03": "17:03:00", "17:03:05": "17:03:05"} {
		var m Moment
		if err := m.Set(text); err != nil || !m.clock || m.at.Format(time.TimeOnly) != want {
			t.Errorf("%s: got %v, clock %v, %v", text, m.at, m.clock, err)
		}
	}
	for _, text := range []string{"", "noon", "25:00", "2026-13-01"} {
		var m Moment
		if err := m.Set(text); err == nil {
			t.Errorf("%q was taken as %v", text, m.at)
		}
	}
}
