package wire

import (
	"io"
	"time"
)

// pause is the time without packets after which the clock is used.
const pause = 200 * time.Millisecond

// patient reads a capture that is still being written, and says when nothing comes.
type patient struct {
	chunks  chan chunk
	rest    []byte
	err     error
	waiting func(since time.Duration)
}

type chunk struct {
	data []byte
	err  error
}

// newPatient reads r in a goroutine of its own, which ends with r: a read of standard
// input can't be interrupted.
func newPatient(r io.Reader) *patient {
	p := &patient{chunks: make(chan chunk, 16), waiting: func(time.Duration) {}}
	go func() {
		for {
			c := chunk{data: make([]byte, 64<<10)}
			var n int
			n, c.err = r.Read(c.data)
			c.data = c.data[:n]
			p.chunks <- c
			if c.err != nil {
				return
			}
		}
	}()
	return p
}

// Read implements [io.Reader].
func (p *patient) Read(b []byte) (int, error) {
	for len(p.rest) == 0 && p.err == nil {
		p.next()
	}
	if len(p.rest) == 0 {
		return 0, p.err
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *patient) next() {
	began := time.Now()
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case c := <-p.chunks:
			p.rest, p.err = c.data, c.err
			return
		case <-ticker.C:
			p.waiting(time.Since(began))
		}
	}
}
