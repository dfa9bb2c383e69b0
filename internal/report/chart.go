package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/summary"
	"github.com/closetrace/closetrace/model"
)

// bar is a bar of 200 units, in parts by verdict.
type bar struct {
	Label string
	Parts []part
}

type part struct {
	Verdict string
	X, W    string
}

// newBar scales counts so that most fills the bar.
func newBar(counts map[string]uint64, most uint64) bar {
	var b bar
	var words []string
	x := 0.0
	for _, v := range model.Verdicts() {
		n := counts[v.String()]
		if n == 0 || most == 0 {
			continue
		}
		w := 200 * float64(n) / float64(most)
		b.Parts = append(b.Parts, part{v.String(), units(x), units(max(w, 0.8))})
		x += w
		words = append(words, fmt.Sprintf("%s %s", v, human.Count(n)))
	}
	b.Label = strings.Join(words, ", ")
	return b
}

func oneBar(v model.Verdict, n, most uint64) bar {
	return newBar(map[string]uint64{v.String(): n}, most)
}

// units writes a length with one decimal, which keeps the page small.
func units(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

// chartData is what the script draws.
type chartData struct {
	Begin float64    `json:"begin"` // of the first column, in seconds since 1970
	Width float64    `json:"width"` // of a column, in seconds
	Names []string   `json:"names"`
	Ends  [][]uint32 `json:"ends"` // by verdict and column
}

func newChartData(t *summary.Timeline) chartData {
	d := chartData{Begin: float64(t.Begin()) / 1e9, Width: t.Width().Seconds(), Names: []string{}, Ends: [][]uint32{}}
	for _, v := range shown(t) {
		counts := make([]uint32, len(t.Buckets()))
		for i := range t.Buckets() {
			counts[i] = t.Buckets()[i].Verdicts[v]
		}
		d.Names, d.Ends = append(d.Names, v.String()), append(d.Ends, counts)
	}
	return d
}

// shown returns the verdicts that occur.
func shown(t *summary.Timeline) (list []model.Verdict) {
	for _, v := range model.Verdicts() {
		for i := range t.Buckets() {
			if t.Buckets()[i].Verdicts[v] > 0 {
				list = append(list, v)
				break
			}
		}
	}
	return list
}

// timeline is the chart for paper and for browsers without scripts.
type timeline struct {
	Columns                            int
	Step, StillStep, From, To, Highest string
	Layers                             []layer
}

type layer struct{ Verdict, Path string }

// stillColumns is how many columns the chart for paper has.
const stillColumns = 200

func newTimeline(t *summary.Timeline) timeline {
	buckets := t.Buckets()
	if len(buckets) == 0 {
		return timeline{}
	}
	per := (len(buckets) + stillColumns - 1) / stillColumns
	columns := (len(buckets) + per - 1) / per
	list := shown(t)
	sums := make([][]uint64, columns) // by column, the sum of a verdict and those before it
	highest := uint64(1)
	for c := range sums {
		sums[c] = make([]uint64, len(list))
		var total uint64
		for k, v := range list {
			for _, b := range buckets[c*per : min((c+1)*per, len(buckets))] {
				total += uint64(b.Verdicts[v])
			}
			sums[c][k] = total
		}
		highest = max(highest, total)
	}
	end := t.Begin().Add(time.Duration(len(buckets)) * t.Width())
	still := timeline{
		Columns: columns, Step: human.Duration(t.Width()), StillStep: human.Duration(time.Duration(per) * t.Width()),
		From: stamp(t.Begin()), To: stamp(end), Highest: human.Count(highest),
	}
	for k := len(list) - 1; k >= 0; k-- {
		still.Layers = append(still.Layers, layer{list[k].String(), columnPath(sums, k, highest)})
	}
	return still
}

// columnPath draws columns as one shape of 1000 x 180 units above y = 200.
func columnPath(sums [][]uint64, k int, highest uint64) string {
	width := 1000 / float64(len(sums))
	var b strings.Builder
	b.WriteString("M0 200")
	for c := range sums {
		fmt.Fprintf(&b, "V%sH%s", units(200-180*float64(sums[c][k])/float64(highest)), units(float64(c+1)*width))
	}
	b.WriteString("V200Z")
	return b.String()
}

// histogram is a chart of durations.
type histogram struct {
	Title, Words, Label, Highest string
	Bars                         []column
}

type column struct {
	X, Y, W, H, Class, Title, Tick string
}

func newHistogram(title, class string, h *summary.Histogram, none string) histogram {
	bars := h.Bars()
	out := histogram{Title: title, Words: none}
	if len(bars) == 0 {
		return out
	}
	out.Words = fmt.Sprintf("%s: half below %s, 99 %% below %s, longest %s.", human.Many(h.Count(), "end"),
		human.Duration(h.Quantile(.5)), human.Duration(h.Quantile(.99)), human.Duration(h.Max()))
	out.Label = title + ": " + out.Words
	highest := uint64(1)
	for _, b := range bars {
		highest = max(highest, b.Count)
	}
	out.Highest = human.Count(highest)
	width := 520 / float64(max(len(bars), 8))
	every := (len(bars)*64 + 519) / 520 // a tick needs 64 units
	for i, b := range bars {
		height := 140 * float64(b.Count) / float64(highest)
		if b.Count > 0 {
			height = max(height, 1)
		}
		c := column{
			X: units(float64(i) * width), W: units(width * .9), Y: units(160 - height), H: units(height), Class: class,
			Title: fmt.Sprintf("%s to %s: %s", human.Duration(b.From), human.Duration(b.To), human.Count(b.Count)),
		}
		if i%max(every, 1) == 0 {
			c.Tick = human.Duration(b.From)
		}
		out.Bars = append(out.Bars, c)
	}
	return out
}
