package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tui"
)

// status is the line on standard error that a recording keeps up to date, if
// that is a terminal.
type status struct {
	out    io.Writer
	live   bool
	path   string
	writer *record.Writer
	began  time.Time

	ended *ledger.Ends // the session's
	mu    sync.Mutex
	ends  [model.NumVerdicts]uint64
	lost  model.Losses
	table model.Table // of connections, when it was fullest
	shown uint64      // the total when the line was last written
	quit  chan struct{}
	done  sync.WaitGroup
}

const statusEvery = 500 * time.Millisecond

func (a *app) newStatus(path string, w *record.Writer, ended *ledger.Ends) *status {
	live := isTerminal(a.stderr) && path != "-" // the reader of standard output may write to the same terminal
	if path == "-" {
		path = "standard output"
	}
	s := &status{out: a.stderr, live: live, path: path, writer: w, ended: ended, began: time.Now(), quit: make(chan struct{})}
	if s.live {
		s.done.Go(s.refresh)
	}
	return s
}

func (s *status) add(r *model.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends = s.ended.Verdicts()
	switch {
	case r.Kind == model.KindLoss:
		s.lost.Add(&r.Loss)
	case r.Kind == model.KindTable && r.Table.Held > s.table.Held:
		s.table = r.Table
	}
}

func (s *status) refresh() {
	ticker := time.NewTicker(statusEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-ticker.C:
			fmt.Fprintf(s.out, "\r\x1b[K%s", s.line(true))
		}
	}
}

func (s *status) total() (total uint64) {
	for _, n := range s.ends {
		total += n
	}
	return total
}

// line shows teardowns by verdict, rate, losses and size.
func (s *status) line(rate bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	total := s.total()
	fmt.Fprintf(&b, "%s: %s", safetext.Escape(s.path), human.Many(total, "teardown"))
	separator := " ("
	for v, n := range s.ends {
		if n > 0 {
			fmt.Fprintf(&b, "%s%s %s", separator, human.Count(n), model.Verdict(v))
			separator = ", "
		}
	}
	if separator == ", " {
		b.WriteString(")")
	}
	if rate {
		fmt.Fprintf(&b, ", %s/s", human.Count(int64(float64(total-s.shown)/statusEvery.Seconds())))
		s.shown = total
	}
	fmt.Fprintf(&b, ", %s, %s, %s", human.Losses(&s.lost),
		human.Bytes(uint64(s.writer.Counts().Bytes)), time.Since(s.began).Truncate(time.Second))
	return b.String()
}

// crowded says that the table of connections was at least half full, and who filled it.
func (s *status) crowded() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table.Max == 0 {
		return ""
	}
	return "at most, " + tui.TableWord(&s.table)
}

// errLost is matched by the error of an incomplete recording.
var errLost = errors.New("the recording is incomplete")

// loss returns an error if the kernel could not deliver everything.
func (s *status) loss() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost.Total() == 0 {
		return nil
	}
	var helps []string
	if s.lost.Ends+s.lost.Late > 0 {
		helps = append(helps, "--ring-size")
	}
	if s.lost.Less > 0 {
		helps = append(helps, "--max-connections")
	}
	err := fmt.Errorf("%w: %s", errLost, human.Losses(&s.lost))
	switch len(helps) {
	case 0:
		return err // the kernel did not show them
	case 1:
		return fmt.Errorf("%w; a larger %s helps", err, helps[0])
	default:
		return fmt.Errorf("%w; larger %s help", err, strings.Join(helps, " and "))
	}
}

// finish replaces the line by the summary of the whole recording; after a
// failure it is also written if nothing was shown before. What the trace has cost follows.
func (s *status) finish(failed bool, cost model.Cost) {
	close(s.quit)
	s.done.Wait()
	if s.live {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
	if s.live || failed {
		fmt.Fprintln(s.out, s.line(false))
		if text := human.Cost(&cost); text != "" {
			fmt.Fprintln(s.out, "cost: "+text)
		}
		if n := s.writer.Counts().Unwritten; n > 0 {
			fmt.Fprintf(s.out, "%s of these lines could not be written\n", human.Count(n))
		}
	}
}
