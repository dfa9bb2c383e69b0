package etl

import (
	"hash/maphash"
	"time"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// twins finds the events of a merged file that two sessions recorded. It
// remembers the events of the last moment, and of the one before.
type twins struct {
	seed        maphash.Seed
	since       model.Time
	now, before map[twin]sighting
}

const (
	// apart is how far apart two sessions may record an event: they get it one
	// after the other.
	apart = time.Millisecond
	// maxTwins bounds the memory where a clock stands still. A map that held
	// more than fewTwins is not used again: to clear it takes long.
	maxTwins = 1 << 14
	fewTwins = 1 << 8
)

// twin is what both records of an event have.
type twin struct {
	provider raw.GUID
	pid, tid uint32
	id       uint16
	data     uint64
}

type sighting struct {
	at     model.Time
	stream *stream
}

// has reports whether e, which is in s, was in another stream: in one of another
// session, which has a time of its own, or at the same time on another CPU, on
// which its thread did not run.
func (w *twins) has(e *raw.Event, s *stream) bool {
	if raw.ProviderOf(&e.Provider) == raw.Other {
		return false
	}
	if w.now == nil {
		w.seed, w.now, w.before = maphash.MakeSeed(), make(map[twin]sighting), make(map[twin]sighting)
	}
	if e.Time.Sub(w.since) > apart || len(w.now) >= maxTwins {
		w.before, w.now, w.since = w.now, w.before, e.Time
		if len(w.now) > fewTwins {
			w.now = make(map[twin]sighting)
		}
		clear(w.now)
	}
	key := twin{e.Provider, e.PID, e.TID, e.ID, maphash.Bytes(w.seed, e.Data)}
	seen, ok := w.now[key]
	if !ok {
		seen, ok = w.before[key]
	}
	if ok && seen.stream != s && (seen.at == e.Time || seen.stream.logger != s.logger && e.Time.Sub(seen.at) <= apart) {
		return true
	}
	w.now[key] = sighting{e.Time, s}
	return false
}
