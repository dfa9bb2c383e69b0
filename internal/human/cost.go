package human

import (
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Cost returns what a trace costs in one line, per second (as a share of one CPU) and per
// connection end, "" if nobody knows:
// "0.42 % CPU, 21us an end; BPF 0.1 %, 4.2us an end; 23 MB, maps 36 MB".
func Cost(c *model.Cost) string {
	ran, known := c.Duration.Get()
	if !known {
		return ""
	}
	text := share(c.CPU.Or(0), ran) + " CPU" + anEnd(c.CPU.Or(0), c.Ends.Or(0))
	if bpf, known := c.BPF.Get(); known {
		text += "; BPF " + share(bpf, c.BPFDuration.Or(0)) + anEnd(bpf, c.BPFEnds.Or(0))
	} else {
		text += "; BPF not measured"
	}
	return text + "; " + Bytes(c.Memory) + ", maps " + Bytes(c.Maps)
}

// share returns part of whole in percent with three digits at most: "<0.01 %", "1.7 %".
func share(part, whole time.Duration) string {
	if whole <= 0 {
		return "0 %"
	}
	return Rate(100*float64(part)/float64(whole)) + " %"
}

func anEnd(d time.Duration, ends uint64) string {
	if ends == 0 {
		return ""
	}
	return ", " + Duration(d/time.Duration(ends)) + " an end"
}

// Losses says what was lost, each kind by itself.
func Losses(l *model.Losses) string {
	var parts []string
	for _, part := range []struct {
		n    uint64
		what string
	}{
		{l.Ends, "ends lost"},
		{l.Events, "events lost"},
		{l.Less, "ends judged with less"},
		{l.Late, "pieces of late evidence lost"},
	} {
		if part.n > 0 {
			parts = append(parts, Count(part.n)+" "+part.what)
		}
	}
	if len(parts) == 0 {
		return "0 lost"
	}
	return strings.Join(parts, ", ")
}
