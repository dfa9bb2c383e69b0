package tui

import (
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/closetrace/closetrace/model"
)

// intake takes the records in, on a goroutine of its own: it never waits for
// the terminal. Its memory is bounded by the deck's.
type intake struct {
	mu    sync.Mutex
	deck  *deck
	ended bool
	err   error
	stop  model.Stop // the last record, if it was a stop

	recording recording
	now       model.Record // the one that comes in, of the goroutine of run only
}

func newIntake(keep int) *intake { return &intake{deck: newDeck(keep)} }

// run takes all records in. It returns when the sequence ends, or after the
// next record when leave is closed.
func (in *intake) run(records iter.Seq2[model.Record, error], leave <-chan struct{}) {
	for r, err := range records {
		if err != nil {
			in.end(err)
			return
		}
		in.add(&r)
		select {
		case <-leave:
			in.end(nil)
			return
		default:
		}
	}
	in.end(nil)
}

// add does not let r escape, so that the caller need not allocate it: all see a copy.
func (in *intake) add(r *model.Record) {
	in.now = *r
	in.keep(&in.now)
	in.recording.write(&in.now)
}

func (in *intake) keep(r *model.Record) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if r.Kind == model.KindStop {
		in.stop = r.Stop
	}
	in.deck.add(r)
}

func (in *intake) end(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ended, in.err = true, err
}

// Recorder writes records to a file. It writes the lines that begin and end a
// recording itself.
type Recorder interface {
	Write(*model.Record) error
	Close() error
}

// recording is the file that records are written to as they come in, if there
// is one. It may be used by any goroutine.
type recording struct {
	mu    sync.Mutex
	to    Recorder
	path  string
	count uint64
	err   error // the file is not complete
}

var errRecording = errors.New("a recording is running")

// begin writes all further records to what create returns.
func (r *recording) begin(path string, create func(string) (Recorder, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.to != nil {
		return errRecording
	}
	to, err := create(path)
	if err != nil {
		return err
	}
	r.to, r.path, r.count, r.err = to, path, 0, nil
	return nil
}

// write writes one record. After an error the recording has ended.
func (r *recording) write(rec *model.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.to == nil {
		return
	}
	if err := r.to.Write(rec); err != nil {
		r.err = fmt.Errorf("write %s: %w", r.path, errors.Join(err, r.to.Close()))
		r.to = nil
		return
	}
	r.count++
}

// end closes the file and returns how many records it has; it does nothing if there is none.
func (r *recording) end() (path string, count uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.to == nil {
		return r.path, r.count, r.err
	}
	if err := r.to.Close(); err != nil {
		r.err = fmt.Errorf("close %s: %w", r.path, err)
	}
	r.to = nil
	return r.path, r.count, r.err
}

// recordingState is what the header shows.
type recordingState struct {
	running bool
	path    string
	count   uint64
	err     error
}

// state returns the state, or last while the file is being written to: the
// screen does not wait for a disk.
func (r *recording) state(last recordingState) recordingState {
	if !r.mu.TryLock() {
		return last
	}
	defer r.mu.Unlock()
	return recordingState{r.to != nil, r.path, r.count, r.err}
}
