package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/closetrace/closetrace/model"
)

// Background is whether the terminal is dark or light.
type Background uint8

const (
	BackgroundAuto  Background = iota // ask the terminal; dark until it answers
	BackgroundDark                    // light text on a dark ground
	BackgroundLight                   // dark text on a light ground
)

// DefaultKeep is how many records a screen keeps, packed, of 200 bytes each: about 10 MB.
// Fewer are kept if their texts are long.
// A pause may hold as many again.
const DefaultKeep = 50_000

// Config says what a screen shows and what it may do. What is nil is not
// offered. The functions are called on goroutines of their own, not by the
// screen's, and not two of a kind at a time; Explain and JSON are called by
// the screen and must be quick.
type Config struct {
	// Start describes the trace.
	Start model.Start
	// Now is the clock; nil is time.Now. Only the tick reads it.
	Now func() time.Time
	// Zone is the zone of the times on the screen; nil is UTC.
	Zone *time.Location
	// Filter is the expression that is set at first.
	Filter string
	// Traced is the expression that the records passed before they came here: nothing on
	// the screen removes it.
	Traced string
	// Notice is what the user must know first; it stands until a key is pressed.
	Notice string
	// OpenNote says what Open does not list.
	OpenNote string
	// Keys binds actions, by the names of docs/screen.md, to other keys.
	Keys map[string][]string
	// Keep is how many records are kept; 0 is DefaultKeep. Counts go on beyond.
	Keep int
	// Stop ends the sequence of records. It is called when the user leaves, and is needed
	// if the sequence may wait for records.
	Stop func()
	// Record makes a file for records; the path decides its format. It must not replace a
	// file.
	Record func(path string) (Recorder, error)
	// Create makes a file for text, and must not replace one.
	Create func(path string) (*os.File, error)
	// RecordTo is a path to record to from the beginning; needs Record.
	RecordTo string
	// Explain returns what a cause means and what to check next.
	Explain func(model.Cause) model.Explanation
	// Findings returns what was found among the records, the most harmful first; the
	// screen calls it with each tick and only reads what it returns. Nil if they are not
	// looked for.
	Findings func() []Finding
	// JSON appends r as one line of JSON.
	JSON func(b []byte, r *model.Record) []byte
	// Cost returns what the trace has cost until now; the help shows it.
	Cost func() model.Cost
	// Replay says that the records are a recording, which is read to its end before it
	// can be navigated.
	Replay *Replay
	// LeaveAtEnd leaves the screen when the records end, unless it is paused or shows the
	// detail of one.
	LeaveAtEnd bool
	// Left, if set, gets what was seen when the user leaves.
	Left func(Totals)
	// Open returns the connections that are open now.
	Open func() ([]OpenConn, error)
	// End ends one of them, and says what the kernel did.
	End func(OpenConn) (string, error)

	// ASCII avoids characters outside of ASCII.
	ASCII bool
	// NoColor leaves bold, underline and reverse only.
	NoColor bool
	// Background chooses the colours.
	Background Background

	// Input and Output are the terminal; nil is the program's own.
	Input  io.Reader
	Output io.Writer
}

// Replay is how a recording is shown.
type Replay struct {
	// Name is the file.
	Name string
	// Speed plays the recording from its beginning, so many recorded seconds
	// in one; 0 shows its end and stands still.
	Speed float64
}

// Totals are what came in, whatever the filter showed of it.
type Totals struct {
	Ends      uint64
	Verdicts  [model.NumVerdicts]uint64
	LostBytes uint64
	Missed    model.Losses
	From, To  model.Time
	Recording string // the last file that was recorded to
	Recorded  uint64
}

// ErrConfig is matched by the errors of a Config that can't be used.
var ErrConfig = errors.New("screen")

// Run shows records on the terminal until the user leaves or ctx is done. It
// takes records in as fast as they come, whatever the terminal does, and
// returns the error of the sequence. When it returns, the sequence has ended
// and the file that was recorded to is closed.
func Run(ctx context.Context, records iter.Seq2[model.Record, error], cfg Config) error {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Keep == 0 {
		cfg.Keep = DefaultKeep
	}
	in := newIntake(cfg.Keep)
	s := newScreen(cfg, in)
	if err := s.keys.rebind(cfg.Keys); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if cfg.Filter != "" {
		if err := s.choose(query{expr: cfg.Filter}); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	if cfg.RecordTo != "" {
		if cfg.Record == nil {
			return fmt.Errorf("%w: record to %s: %w", ErrConfig, cfg.RecordTo, errors.ErrUnsupported)
		}
		if err := in.recording.begin(cfg.RecordTo, cfg.Record); err != nil {
			return err
		}
	}
	done, leave := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		in.run(records, leave)
	}()
	program := tea.NewProgram(s, s.options(ctx)...)
	leaveSignals := s.asides(program)
	_, shown := program.Run()
	leaveSignals()
	if errors.Is(shown, tea.ErrInterrupted) || ctx.Err() != nil {
		shown = nil // ctrl-c and a signal are a normal way to end a trace
	}
	if cfg.Stop != nil {
		cfg.Stop()
	} else {
		close(leave)
	}
	<-done
	path, count, recorded := in.recording.end()
	if cfg.Left != nil && shown == nil {
		all := in.deck.all
		cfg.Left(Totals{
			Ends: all.counts.total(), Verdicts: all.counts, LostBytes: all.lostBytes, Missed: all.lost,
			From: all.first, To: all.last, Recording: path, Recorded: count,
		})
	}
	return errors.Join(shown, in.err, recorded)
}

// options returns the program's options. 15 frames a second are enough for
// data that changes ten times, and each costs a comparison of all cells.
func (s *screen) options(ctx context.Context) []tea.ProgramOption {
	options := []tea.ProgramOption{tea.WithContext(ctx), tea.WithFPS(15)}
	if s.cfg.Input != nil {
		options = append(options, tea.WithInput(s.cfg.Input))
	}
	if s.cfg.Output != nil {
		options = append(options, tea.WithOutput(s.cfg.Output))
	}
	return options
}
