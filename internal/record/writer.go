package record

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/closetrace/closetrace/internal/safefile"
	"github.com/closetrace/closetrace/model"
)

// Counts is what a Writer has done so far.
type Counts struct {
	Lines     uint64 // accepted and not lost
	Unwritten uint64 // refused, or accepted and then not written
	Bytes     int64  // on disk, all files that are left
	Files     int    // begun
}

// Writer writes a recording. Its methods may be called by any goroutine.
type Writer struct {
	mu      sync.Mutex
	options Options
	file    *file
	batch   []byte // whole lines that are not written yet
	pending []line // one for each line of batch
	start   *model.Record
	tally   tally
	counts  Counts
	oldSize int64 // of the rotated files that are left
	old     []rotated
	err     error // ends the recording
	closed  bool
	// ownFolder: the Writer opened options.Folder.
	ownFolder bool
	unlooked  int // bytes since the file's size was checked
	quit      chan struct{}
	done      sync.WaitGroup

	retired    sync.WaitGroup // rotated files that are being synced
	retireErrs chan error
}

// batchSize is how much is gathered before it is written: a zstd frame of that
// size compresses about as well as one of the whole file.
const (
	plainBatch = 64 << 10
	frameBatch = 512 << 10
	// lookEvery is the number of bytes after which the file is checked for truncation; it
	// is also checked every second, and before a stop line.
	lookEvery = 1 << 20
)

// Create begins a recording in a new file that only its owner can read, or on
// standard output if path is "-". A file that exists is [fs.ErrExist] unless
// options say otherwise.
func Create(path string, options Options) (*Writer, error) {
	own := options.Folder == nil && path != "-"
	if own {
		var err error
		if options.Folder, err = safefile.OpenFor(path); err != nil {
			return nil, fmt.Errorf("create recording: %w", err)
		}
	}
	w := &Writer{ownFolder: own, options: options, quit: make(chan struct{}), counts: Counts{Files: 1}, retireErrs: make(chan error, 1)}
	err := w.resume(path)
	if err == nil {
		w.file, err = create(path, &w.options)
	}
	if err != nil {
		if own {
			_ = options.Folder.Close()
		}
		return nil, err
	}
	w.file.syncFolder()
	w.drop()
	w.done.Go(w.flushing)
	return w, nil
}

// Write adds r. The line is on its way to the file within a second; it is in
// the file after Flush. The first record of kind start is kept and begins
// every file; counts of a stop are replaced by those of the file it is in. An
// error other than [ErrLine] ends the recording and is returned from then on.
func (w *Writer) Write(r *model.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.write(r)
}

func (w *Writer) write(r *model.Record) error {
	switch {
	case w.closed:
		return errClosed
	case w.err != nil && r.Kind == model.KindStop:
		return w.lastWords(r)
	case w.err != nil:
		w.counts.Unwritten++
		return w.err
	}
	if r.Kind == model.KindStart && w.start == nil {
		first := *r
		w.start = &first
	}
	if r.Kind == model.KindStop {
		r = w.lastLine(r)
		w.file.stopped = true
	}
	err := w.add(r)
	if err == nil && w.rotateDue() {
		err = w.rotate()
	}
	return err
}

// lastLine is a stop record with what is known at the end of its file.
func (w *Writer) lastLine(stop *model.Record) *model.Record {
	stop = w.tally.stop(stop)
	if w.options.Cost != nil {
		stop.Stop.Cost = w.options.Cost()
	}
	return stop
}

var errClosed = errors.New("recording is closed")

// add appends the line of r to the batch.
func (w *Writer) add(r *model.Record) error {
	before := len(w.batch)
	w.batch = Append(w.batch, r)
	if n := len(w.batch) - before; n == 0 || n > MaxLine {
		w.batch = w.batch[:before]
		w.counts.Unwritten++
		return fmt.Errorf("%w: %v of %d bytes", ErrLine, r.Kind, n)
	}
	if r.Kind != model.KindStop && !w.fits() {
		line := string(w.batch[before:])
		w.batch = w.batch[:before]
		if err := w.makeRoom(line); err != nil {
			w.counts.Unwritten++
			return err
		}
	}
	w.pending = append(w.pending, w.tally.add(r, len(w.batch)))
	w.counts.Lines++
	if len(w.batch) >= w.file.batchSize() || r.Kind == model.KindStart {
		return w.flush()
	}
	return nil
}

// stopRoom is kept free of MaxSize for the last line.
const stopRoom = 1 << 10

// fits reports whether the file stays within MaxSize when the batch is written.
func (w *Writer) fits() bool {
	room := w.options.MaxSize - w.oldSize - w.file.size - stopRoom
	return w.options.MaxSize <= 0 || int64(len(w.batch)) <= room
}

// makeRoom adds line, which did not fit: what is pending may take less room
// once it is compressed, and a rotation may drop old files.
func (w *Writer) makeRoom(line string) error {
	if err := w.flush(); err != nil {
		return err
	}
	w.dropUntil(w.options.MaxSize - w.file.size - stopRoom - int64(len(line)))
	w.batch = append(w.batch, line...)
	if w.fits() {
		return nil
	}
	w.batch = w.batch[:0]
	return w.fail(ErrMaxSize)
}

// Flush hands everything to the operating system; with Compress it ends a frame.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errClosed
	}
	w.unlooked = lookEvery
	return w.flush()
}

func (w *Writer) flush() error {
	if w.err != nil {
		return w.err
	}
	if len(w.batch) == 0 {
		return nil
	}
	w.unlooked += len(w.batch)
	if w.unlooked >= lookEvery || w.file.stopped {
		w.unlooked = 0
		if err := w.shortened(); err != nil {
			w.forget(0)
			return w.fail(err)
		}
	}
	n, err := w.file.write(w.batch)
	if err != nil {
		w.forget(n)
		return w.fail(fmt.Errorf("write recording %s: %w", w.file.name(), explain(err)))
	}
	w.batch, w.pending = w.batch[:0], w.pending[:0]
	return nil
}

// shortened returns an error if the file was truncated.
func (w *Writer) shortened() error {
	held, short := w.file.truncated()
	if !short {
		return nil
	}
	return fmt.Errorf("%w: %s holds %d of %d bytes", ErrTruncated, w.file.name(), held, w.file.size)
}

// forget removes from the counts the lines of the batch that end after its first n bytes.
func (w *Writer) forget(n int) {
	for _, l := range w.pending {
		if l.end > n {
			w.tally.remove(l)
			w.counts.Lines--
			w.counts.Unwritten++
		}
	}
	w.batch, w.pending = w.batch[:0], w.pending[:0]
}

// fail ends the recording.
func (w *Writer) fail(err error) error {
	w.err = err
	if w.options.OnError != nil {
		w.options.OnError(err)
	}
	return err
}

// lastWords tries to write the stop line although the recording has ended: the last page
// of a full disk often has room for it, and MaxSize reserves some.
func (w *Writer) lastWords(r *model.Record) error {
	if !errors.Is(w.err, ErrMaxSize) && !isDiskFull(w.err) || w.file.stopped {
		w.counts.Unwritten++
		return w.err
	}
	w.file.stopped = true
	if _, err := w.file.write(Append(w.batch[:0], w.lastLine(r))); err != nil {
		w.counts.Unwritten++
		return w.err
	}
	w.counts.Lines++
	return nil
}

// Close writes what is left, makes it durable and closes the file. It may be
// called twice.
func (w *Writer) Close() error { return w.end(false) }

// Discard closes a recording that could not begin, and removes its file if that is
// empty.
func (w *Writer) Discard() error { return w.end(true) }

func (w *Writer) end(discard bool) error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	discard = discard && w.isEmpty()
	w.unlooked = lookEvery
	err := w.flush()
	if errors.Is(err, ErrMaxSize) {
		err = nil // already returned by Write, and the file is complete
	}
	w.closed = true
	err = errors.Join(err, w.file.close())
	w.mu.Unlock()
	close(w.quit)
	w.done.Wait()
	w.retired.Wait()
	if discard { // Windows can't remove an open file
		err = errors.Join(err, w.options.Folder.Remove(w.file.base))
	}
	if w.ownFolder {
		err = errors.Join(err, w.options.Folder.Close())
	}
	select {
	case failed := <-w.retireErrs:
		err = errors.Join(err, failed)
	default:
	}
	return err
}

// isEmpty reports whether the file is still in its place and is empty.
func (w *Writer) isEmpty() bool {
	f := w.file
	if !f.regular || f.path == "" {
		return false
	}
	info, err := f.folder.Look(f.base)
	return err == nil && info.Size() == 0 && isOpen(f, info)
}

// Counts returns what was written so far.
func (w *Writer) Counts() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.counts
	c.Bytes = w.oldSize + w.file.size
	return c
}

// flushing flushes every second and notices a file that was removed or is old.
func (w *Writer) flushing() {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-w.quit:
			return
		case <-ticker.C:
			w.tick()
		}
	}
}

func (w *Writer) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.err != nil || w.flush() != nil {
		return
	}
	if err := w.shortened(); err != nil {
		_ = w.fail(err)
		return
	}
	switch {
	case w.file.removed():
		_ = w.fail(fmt.Errorf("%w: %s", ErrRemoved, w.file.name()))
	case w.rotateDue():
		_ = w.rotate()
	}
}
