package record

import (
	"io"
	"slices"
)

// source is a stream with look-ahead, to which bytes can be returned. Returning n bytes
// costs n, whatever else is still to be read.
type source struct {
	in   io.Reader
	back [][]byte // to be read before in, the last of them first; none is empty
	at   int64    // place in the file
}

// Read implements [io.Reader].
func (s *source) Read(p []byte) (int, error) {
	if len(s.back) == 0 && len(p) >= 4<<10 {
		n, err := s.in.Read(p)
		s.at += int64(n)
		return n, err
	}
	if len(s.back) == 0 {
		if err := s.fill(1); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.back[len(s.back)-1])
	s.skip(n)
	return n, nil
}

// peek returns the next n bytes, or fewer with the error that ended them.
func (s *source) peek(n int) ([]byte, error) {
	err := s.fill(n)
	if len(s.back) == 0 {
		return nil, err
	}
	top := s.back[len(s.back)-1]
	return top[:min(n, len(top))], err
}

// skip drops n bytes that peek has shown.
func (s *source) skip(n int) {
	s.at += int64(n)
	if n == 0 {
		return
	}
	last := len(s.back) - 1
	if s.back[last] = s.back[last][n:]; len(s.back[last]) == 0 {
		s.back = s.back[:last]
	}
}

// unread returns bytes that were just read.
func (s *source) unread(b []byte) {
	if len(b) > 0 {
		s.back = append(s.back, slices.Clone(b))
	}
	s.at -= int64(len(b))
}

// fill reads until the next n bytes, a few, are contiguous.
func (s *source) fill(n int) error {
	for len(s.back) == 0 || len(s.back[len(s.back)-1]) < n {
		const step = 16 << 10
		if len(s.back) > 1 { // join it with a few bytes of the one below
			below := s.back[len(s.back)-2]
			top := slices.Concat(s.back[len(s.back)-1], below[:min(n, len(below))])
			s.back[len(s.back)-2] = top
			if rest := below[min(n, len(below)):]; len(rest) > 0 {
				s.back[len(s.back)-2], s.back[len(s.back)-1] = rest, top
			} else {
				s.back = s.back[:len(s.back)-1]
			}
			continue
		}
		next := make([]byte, step)
		got, err := s.in.Read(next)
		switch {
		case got > 0 && len(s.back) == 0:
			s.back = append(s.back, next[:got])
		case got > 0:
			s.back[0] = append(slices.Clip(s.back[0]), next[:got]...)
		}
		if err != nil && (len(s.back) == 0 || len(s.back[0]) < n) {
			return err
		}
		if got == 0 && err == nil {
			return io.ErrNoProgress
		}
	}
	return nil
}
