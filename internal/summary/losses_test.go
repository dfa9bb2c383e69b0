package summary

import (
	"bytes"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestLossesThatMissNoEnd: where all ends are there, no count is called too low.
func TestLossesThatMissNoEnd(t *testing.T) {
	const low, judged = "the counts above are too low", "7 ends judged with less, 5 pieces of late evidence lost: no end is missing"
	loss := func(n uint64, where string) model.Record {
		return model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: n, Where: where}}
	}
	stop := func(l model.Losses) model.Record {
		return model.Record{Kind: model.KindStop, Stop: model.Stop{Lost: l.Total(), Losses: l}}
	}
	lines := []model.Record{loss(7, "connection-table"), loss(5, "late-evidence")}
	for name, test := range map[string]struct {
		records []model.Record
		want    []string
	}{
		"lines":         {lines, []string{judged}},
		"the stop line": {[]model.Record{stop(model.Losses{Less: 7, Late: 5})}, []string{judged}},
		"both":          {append(lines[:1:1], stop(model.Losses{Less: 7, Late: 5})), []string{judged}},
		"ends too": {
			append(lines[:2:2], loss(3, "ring-buffer"), stop(model.Losses{Less: 7, Late: 5, Ends: 4})),
			[]string{"4 events could not be recorded (3 ring-buffer, 1 by the stop line): " + low, judged},
		},
		"an older version": {
			append(lines[:2:2], model.Record{Kind: model.KindStop, Stop: model.Stop{Lost: 14}}),
			[]string{"2 events could not be recorded (2 by the stop line): " + low, judged},
		},
	} {
		s := New()
		for i := range test.records {
			s.Add(&test.records[i])
		}
		var out bytes.Buffer
		if err := s.Text(&out, TextOptions{Width: 120}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, low) || strings.Contains(line, "no end is missing") {
				got = append(got, strings.TrimSpace(line))
			}
		}
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%s:\n got %q\nwant %q", name, got, test.want)
		}
	}
}
