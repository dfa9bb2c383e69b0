package main

import (
	"bytes"
	"fmt"
)

// bar is one line of the picture.
type bar struct {
	name  string
	ours  bool
	rate  float64 // of untraced
	added float64 // microseconds of processor time for each connection
}

func (r *results) bars() []bar {
	base := r.rounds[0]
	rate, cpu := median(base, rateOf), median(base, (*round).perConnection)
	var bars []bar
	for i, rounds := range r.rounds {
		if len(rounds) == 0 {
			continue
		}
		b := bar{name: r.contenders[i].name, ours: r.contenders[i].ours, rate: median(rounds, rateOf) / rate}
		if r.contenders[i].command != nil {
			b.added = max(0, median(rounds, (*round).perConnection)-cpu+2*median(rounds, (*round).perEnd))
		}
		bars = append(bars, b)
	}
	return bars
}

// draw returns the picture: two columns of bars that share their names.
func (r *results) draw() []byte {
	const row, top, width = 26, 44, 860
	bars := r.bars()
	var highest float64
	for _, b := range bars {
		highest = max(highest, b.added)
	}
	height := top + row*len(bars) + 30
	var svg bytes.Buffer
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="Connections a second that are left, and processor time added for each connection, by tracer">
<style>text{fill:#24292f}.ours{fill:#1a7f5a}.other{fill:#8c959f}.note{font-size:11px}@media(prefers-color-scheme:dark){text{fill:#d0d7de}.ours{fill:#3fb98a}.other{fill:#6e7681}}</style>
<text x="190" y="24">connections/s, of untraced</text><text x="540" y="24">added processor time, µs/connection</text>
`, width, height, width)
	for i, b := range bars {
		y := top + row*i
		class := "other"
		if b.ours {
			class = "ours"
		}
		fmt.Fprintf(&svg, `<text x="180" y="%d" text-anchor="end">%s</text>`, y+13, b.name)
		fmt.Fprintf(&svg, `<rect class="%s" x="190" y="%d" width="%.1f" height="17"/><text x="%.1f" y="%d">%.2f</text>`,
			class, y, b.rate*260, 196+b.rate*260, y+13, b.rate)
		length := b.added / max(highest, 1) * 250
		fmt.Fprintf(&svg, `<rect class="%s" x="540" y="%d" width="%.1f" height="17"/><text x="%.1f" y="%d">%.1f</text>`+"\n",
			class, y, length, 546+length, y+13, b.added)
	}
	fmt.Fprintf(&svg, `<text class="note" x="190" y="%d">Linux %s, %d processors, %s; medians of one run</text>`+"\n</svg>\n",
		height-8, r.machine.kernel, r.machine.processors, r.machine.date)
	return svg.Bytes()
}
