package summary

import (
	"fmt"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/human"
)

// head says when and where it was recorded, how much, and what was chosen of it.
func (p *page) head(s *Summary) {
	n := s.Total.Total()
	if s.First == 0 {
		if p.line("nothing was recorded"); s.Chosen != "" {
			p.line("shown is only %s", clip(s.Chosen, p.options.Width-14))
		}
		return
	}
	where := []string{}
	for _, part := range []string{s.Start.Host.Name, strings.TrimSpace(s.Start.OS.Type + " " + s.Start.OS.Version), s.Start.Backend} {
		if part != "" {
			where = append(where, clip(part, 40))
		}
	}
	span := s.Last.Sub(s.First)
	when := fmt.Sprintf("%s - %s UTC (%s)", s.First.Go().Format("2006-01-02 15:04:05"), s.Last.Go().Format(dayIfOther(s)+"15:04:05"), human.Duration(span))
	host := strings.Join(where, ", ")
	if len(when)+2+len(host) > p.options.Width { // the back end is at its end
		p.line("%s", when)
		p.line("%s", host)
	} else {
		p.line("%s  %s", when, host)
	}
	text := human.Count(n) + plural(n, " connection end", " connection ends")
	if seconds := span.Seconds(); seconds >= 1 {
		text += ", " + human.Rate(float64(n)/seconds) + " a second"
	}
	text += s.onlyCounted()
	if s.ClockSet > 0 {
		text += "; the clock was set " + human.Count(s.ClockSet) + plural(s.ClockSet, " time", " times")
	}
	if s.Slept > 0 {
		text += "; the machine slept " + human.Duration(s.Slept)
	}
	if s.Inferred > 0 {
		text += fmt.Sprintf("; %s inferred", human.Count(s.Inferred))
	}
	if s.Amended > 0 {
		text += fmt.Sprintf("; %s amended by later evidence", human.Count(s.Amended))
	}
	if s.Retracted > 0 {
		text += fmt.Sprintf("; %s linger timeouts taken back", human.Count(s.Retracted))
	}
	if s.CloseFailed > 0 {
		text += fmt.Sprintf("; %s closes failed", human.Count(s.CloseFailed))
	}
	p.line("%s", text)
	if s.Start.Filter != "" {
		p.line("only what matched the filter %s", clip(s.Start.Filter, 60))
	}
	if s.Chosen != "" {
		p.line("shown is only %s", clip(s.Chosen, p.options.Width-14))
	}
	switch {
	case s.Recordings == 1 && s.Stopped == 0 && !s.Live:
		p.line("no stop line: the recording was cut, or is still being written")
	case s.Recordings > 1:
		p.line("%d recordings, %d of them ended with a stop line", s.Recordings, s.Stopped)
	}
}

func dayIfOther(s *Summary) string {
	if s.First.Go().YearDay() == s.Last.Go().YearDay() && s.Last.Sub(s.First) < 24*time.Hour {
		return ""
	}
	return "2006-01-02 "
}
