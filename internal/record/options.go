package record

import (
	"errors"
	"time"

	"github.com/closetrace/closetrace/internal/safefile"
	"github.com/closetrace/closetrace/model"
)

// Options says how a recording is written. The zero value writes plain lines
// into one new file without a limit.
type Options struct {
	// Folder is where the files are made, by the last element of the path; nil is
	// the folder that the path names. The Writer does not close it.
	Folder safefile.Folder
	// Force overwrites an existing file. A symbolic link is never followed.
	Force bool
	// Continue keeps what an earlier run left: the file that exists gets the time of its
	// last change into its name, and the full files count for RotateKeep and MaxSize. It is
	// for recordings that rotate.
	Continue bool
	// Compress writes zstd frames; so does a name that ends in .zst.
	Compress bool
	// MaxSize bounds what the recording takes on disk, in bytes; 0 is no bound.
	// Without rotation Write then returns [ErrMaxSize], and the line of kind
	// stop still fits; with rotation the oldest files are removed.
	MaxSize int64
	// RotateSize begins a new file when this one has that many bytes, and
	// RotateAge when it is that old; 0 is never. RotateKeep is how many full
	// files are kept beside the current one; 0 keeps all.
	RotateSize int64
	RotateAge  time.Duration
	RotateKeep int
	// Cost, if set, is what the stop line of each file says of the cost of the trace.
	Cost func() model.Cost
	// OnError is called once, from any goroutine, when writing has become impossible, so
	// that a quiet recording ends too. It must not call the Writer.
	OnError func(error)
}

// Errors of Write; each is returned by all later calls as well.
var (
	// ErrMaxSize means that the recording has reached its MaxSize.
	ErrMaxSize = errors.New("recording has reached its maximum size")
	// ErrRemoved means that the file was deleted during the recording.
	ErrRemoved = errors.New("recording was removed while it was written")
	// ErrTruncated means that the file was shortened during the recording. It gets no
	// stop line, which would count lines that are gone.
	ErrTruncated = errors.New("recording was truncated while it was written")
	// ErrLine means that a record has no line or one of more than [MaxLine]
	// bytes; the next may be fine.
	ErrLine = errors.New("record can't be written")
)

// flushEvery is how much of a recording a kill -9 or a power cut can take.
const flushEvery = time.Second
