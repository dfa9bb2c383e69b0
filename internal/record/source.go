package record

import "io"

// source is a stream with a look ahead, to which bytes can be given back.
type source struct {
	in   io.Reader
	back []byte // to be read before in
	at   int64  // place in the file
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
	n := copy(p, s.back)
	s.skip(n)
	return n, nil
}

// peek returns the next n bytes, or fewer with the error that ended them.
func (s *source) peek(n int) ([]byte, error) {
	err := s.fill(n)
	return s.back[:min(n, len(s.back))], err
}

// skip drops n bytes that peek has shown.
func (s *source) skip(n int) {
	s.back = s.back[n:]
	s.at += int64(n)
}

// unread gives bytes back that were just read.
func (s *source) unread(b []byte) {
	s.back = append(append([]byte(nil), b...), s.back...)
	s.at -= int64(len(b))
}

// fill reads until n bytes are there.
func (s *source) fill(n int) error {
	for len(s.back) < n {
		const step = 16 << 10
		grown := append(make([]byte, 0, len(s.back)+step), s.back...)
		got, err := s.in.Read(grown[len(grown) : len(grown)+step])
		s.back = grown[:len(grown)+got]
		if err != nil && len(s.back) < n {
			return err
		}
		if got == 0 && err == nil {
			return io.ErrNoProgress
		}
	}
	return nil
}
