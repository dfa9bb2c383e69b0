package record

import (
	"bytes"
	"math"
	"strconv"
)

// integer reads a number within [low, high]; ok is false for null and for
// anything else.
func (s *scanner) integer(low int64, high uint64) (negative bool, magnitude uint64, ok bool) {
	start := s.pos
	c := s.peek()
	if c == 'n' {
		s.skip(0)
		return false, 0, false
	}
	if c == '-' {
		negative = true
		s.pos++
	}
	digits := s.pos
	for ; s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9'; s.pos++ {
		d := uint64(s.data[s.pos] - '0')
		if magnitude > (math.MaxUint64-d)/10 {
			magnitude, high, low = 1, 0, 0 // too large for any type
			continue
		}
		magnitude = magnitude*10 + d
	}
	if s.pos < len(s.data) && (s.data[s.pos]|0x20 == 'e' || s.data[s.pos] == '.') {
		s.pos = start
		negative, magnitude, ok = s.float()
	} else {
		ok = s.pos > digits && (s.data[digits] != '0' || s.pos == digits+1)
	}
	if ok && (negative && magnitude <= uint64(-low) || !negative && magnitude <= high) {
		return negative, magnitude, true
	}
	s.pos = start
	s.wrong("an integer in range")
	return false, 0, false
}

// float reads a whole number written with a point or an exponent, as jq does.
func (s *scanner) float() (negative bool, magnitude uint64, ok bool) {
	s.peek()
	start := s.pos
	if !s.skip(0) {
		return false, 0, false
	}
	f, err := strconv.ParseFloat(string(s.data[start:s.pos]), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return false, 0, false
	}
	return f < 0, uint64(math.Abs(f)), true
}

// skip skips one value and reports whether it was valid.
func (s *scanner) skip(depth int) bool {
	c := s.peek()
	switch {
	case depth > maxDepth:
		s.fail("nested too deep")
		return false
	case c == '{':
		for _, ok := s.enter(); ok; _, ok = s.next() {
			s.skip(depth + 1)
		}
	case c == '[':
		for ok := s.elements(); ok; ok = s.more() {
			s.skip(depth + 1)
		}
	case c == '"':
		s.text()
	case c == 't':
		s.literal("true")
	case c == 'f':
		s.literal("false")
	case c == 'n':
		s.literal("null")
	case c == '-' || c >= '0' && c <= '9':
		s.skipNumber()
	default:
		s.fail("want a value")
	}
	return s.syntax == ""
}

func (s *scanner) literal(word string) bool {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		s.fail("want " + word)
		return false
	}
	s.pos += len(word)
	return true
}

// skipNumber follows the grammar of RFC 8259, section 6.
func (s *scanner) skipNumber() {
	if s.data[s.pos] == '-' {
		s.pos++
	}
	zero := s.pos < len(s.data) && s.data[s.pos] == '0'
	whole := s.skipDigits()
	good := whole == 1 || whole > 1 && !zero
	if good && s.pos < len(s.data) && s.data[s.pos] == '.' {
		s.pos++
		good = s.skipDigits() > 0
	}
	if good && s.pos < len(s.data) && s.data[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		good = s.skipDigits() > 0
	}
	if !good {
		s.fail("bad number")
	}
}

func (s *scanner) skipDigits() int {
	from := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - from
}
