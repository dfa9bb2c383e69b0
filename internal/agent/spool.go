package agent

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nsqio/go-diskqueue"
)

const (
	spoolFile = 4 << 20  // of the queue's files, which are removed when they were read
	spoolRoom = 64 << 10 // left on the disk for the queue's own file, without which the next run finds nothing
	spoolPart = 8 << 20  // of one batch, compressed; a larger one is a damaged file
)

// spool keeps batches on disk, the oldest first out. It never has more than its size.
type spool struct {
	queue  diskqueue.Interface
	size   int64
	dir    string
	pack   *zstd.Encoder
	unpack *zstd.Decoder
	meter  *meter

	mu    sync.Mutex
	bytes int64
	old   int64 // batches of an earlier run that are not out yet
	in    int64 // records of this run
}

// openSpool opens or makes the spool in a directory.
func openSpool(o *Options, m *meter) (*spool, error) {
	if err := MakeSpool(o.Spool, os.Geteuid()); err != nil {
		return nil, err
	}
	err := salvage(o.Spool, o.Log)
	if err != nil {
		return nil, err
	}
	s := &spool{size: o.SpoolSize, dir: o.Spool, meter: m}
	if s.pack, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true)); err != nil {
		return nil, err
	}
	if s.unpack, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(64<<20)); err != nil {
		return nil, err
	}
	say := seldom(o.Log) // what fails is tried again each second
	log := func(level diskqueue.LogLevel, format string, args ...interface{}) {
		if level >= diskqueue.WARN {
			say(format, args...)
			removeUnfinished(o.Spool)
		}
	}
	removeUnfinished(o.Spool)
	s.queue = diskqueue.New("closetrace", o.Spool, spoolFile, 5, spoolPart, 64, time.Second, log)
	if s.old = s.queue.Depth(); s.old > 0 {
		files, _ := filepath.Glob(filepath.Join(o.Spool, "closetrace.diskqueue.*.dat"))
		for _, f := range files {
			if info, err := os.Stat(f); err == nil {
				s.bytes += info.Size()
			}
		}
	}
	m.spooled.Set(float64(s.bytes))
	return s, nil
}

// removeUnfinished removes what the queue leaves when it can't write its own file, as on a full disk.
func removeUnfinished(dir string) {
	names, _ := filepath.Glob(filepath.Join(dir, spoolMeta+".*.tmp"))
	for _, name := range names {
		_ = os.Remove(name)
	}
}

// put stores p, and makes room for it by dropping the oldest. It holds the lock throughout: the
// queue may hand the batch to the sender before Put returns, and took must find it counted.
func (s *spool) put(p parcel) {
	raw := s.pack.EncodeAll(p.lines, binary.BigEndian.AppendUint32(nil, uint32(p.count)))
	need := int64(len(raw)) + 4
	if need > min(s.size, spoolPart) { // dropping all others would make no room for it
		s.meter.lose(lostDisk, p.count)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.meter.spooled.Set(float64(s.bytes)) }()
	for waits := 0; s.bytes+need > s.size; {
		if s.queue.Depth() == 0 { // the sender has the last one, or most of a file had been read
			s.bytes = 0
			break
		}
		select {
		case oldest := <-s.queue.ReadChan():
			s.out(oldest)
			s.meter.lose(lostSpool, countOf(oldest))
			waits = 0
		case <-time.After(time.Second): // once it may be a slow disk, for which Depth waits
			if waits++; waits == 2 {
				s.meter.lose(lostDisk, p.count)
				return
			}
		}
	}
	if left, known := room(s.dir); known && left < uint64(len(raw))+spoolRoom {
		s.meter.lose(lostDisk, p.count)
		return
	}
	if err := s.queue.Put(raw); err != nil {
		s.meter.lose(lostDisk, p.count)
		return
	}
	s.bytes += need
	s.in += int64(p.count)
}

// took accounts for a batch that the sender has read.
func (s *spool) took(raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out(raw)
	// Only the sender may conclude from an empty queue that the rest is lost: put does not
	// know of the batch that the sender may have in hand.
	if s.queue.Depth() == 0 && s.in > 0 { // a damaged file was put aside by the queue
		s.meter.lose(lostDisk, int(s.in))
		s.in = 0
	}
	s.meter.spooled.Set(float64(s.bytes))
}

// out takes a batch off the accounts. One of an earlier run is offered again.
func (s *spool) out(raw []byte) {
	count := countOf(raw)
	if s.old > 0 || int64(count) > s.in { // after a crash more may be there than the queue knew
		s.old = max(0, s.old-1)
		s.meter.offered.Add(float64(count))
		s.meter.waiting.Add(float64(count))
	} else {
		s.in -= int64(count)
	}
	s.bytes = max(0, s.bytes-int64(len(raw))-4)
	if s.queue.Depth() == 0 {
		s.bytes, s.old = 0, 0
	}
}

// open returns the batch that was read.
func (s *spool) open(raw []byte) (parcel, bool) {
	s.took(raw)
	p := parcel{count: countOf(raw)}
	var err error
	if p.lines, err = s.unpack.DecodeAll(raw[4:], nil); err != nil {
		s.meter.lose(lostDisk, p.count)
		return p, false
	}
	return p, true
}

func countOf(raw []byte) int { return int(binary.BigEndian.Uint32(raw)) }

func (s *spool) close() error {
	_ = s.pack.Close()
	s.unpack.Close()
	s.mu.Lock()
	if s.queue.Depth() == 0 && s.in > 0 { // with a damaged file, the last, it was put aside
		s.meter.lose(lostDisk, int(s.in))
		s.in = 0
	}
	s.mu.Unlock()
	return s.queue.Close()
}
