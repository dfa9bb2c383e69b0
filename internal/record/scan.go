package record

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep an unknown member may nest; the format's own depth is 4.
const maxDepth = 64

// scanner reads JSON (RFC 8259) from one line. After an error of syntax it stays at the
// end; an error of type is kept and the value skipped.
//
// It is our own because a library needs 2.4 times as long to read the names and values of
// a line: jsontext 4.5 us, this 1.9 us of a processor, of the 3 us in which a line is
// decoded (go test -bench Scan). Tests compare it with encoding/json, and it is fuzzed.
type scanner struct {
	data    []byte
	pos     int
	scratch []byte // holds a string that had escapes, until the next one
	syntax  string // what is wrong with the JSON, or ""
	mistype string // the first member that has the wrong type, or ""
	member  string // the member being read, for mistype
}

func (s *scanner) reset(line []byte) {
	*s = scanner{data: line, scratch: s.scratch[:0]}
}

func (s *scanner) fail(what string) {
	if s.syntax == "" {
		s.syntax = what + " at byte " + strconv.Itoa(s.pos+1) + " of the line"
	}
	s.pos = len(s.data)
}

func (s *scanner) wrong(want string) {
	if s.mistype == "" {
		s.mistype = s.member + ": want " + want
	}
	s.skip(0)
}

// peek returns the next byte that is not white space, or 0 at the end.
func (s *scanner) peek() byte {
	for ; s.pos < len(s.data); s.pos++ {
		if c := s.data[s.pos]; c > ' ' || c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c
		}
	}
	return 0
}

// enter begins an object and returns its first key. It returns false for an empty object,
// for null, and for a value that is not an object.
func (s *scanner) enter() ([]byte, bool) {
	switch s.peek() {
	case '{':
		s.pos++
	case 'n':
		s.skip(0)
		return nil, false
	default:
		s.wrong("an object")
		return nil, false
	}
	if s.peek() == '}' {
		s.pos++
		return nil, false
	}
	return s.objectKey()
}

// next returns the key after the value that was just read, or false at the
// end of the object.
func (s *scanner) next() ([]byte, bool) {
	switch s.peek() {
	case ',':
		s.pos++
		return s.objectKey()
	case '}':
		s.pos++
	default:
		s.fail("want , or }")
	}
	return nil, false
}

func (s *scanner) objectKey() ([]byte, bool) {
	if s.peek() != '"' {
		s.fail("want a member's name")
		return nil, false
	}
	key, ok := s.text()
	if ok && s.peek() != ':' {
		s.fail("want :")
		return nil, false
	}
	s.pos++
	return key, ok
}

// elements begins an array and reports whether it has an element; more goes on.
func (s *scanner) elements() bool {
	switch s.peek() {
	case '[':
		s.pos++
	case 'n':
		s.skip(0)
		return false
	default:
		s.wrong("a list")
		return false
	}
	if s.peek() == ']' {
		s.pos++
		return false
	}
	return true
}

func (s *scanner) more() bool {
	switch s.peek() {
	case ',':
		s.pos++
		return true
	case ']':
		s.pos++
	default:
		s.fail("want , or ]")
	}
	return false
}

// text reads a string, which the caller has seen to begin, and returns its
// content, valid until the next call.
func (s *scanner) text() ([]byte, bool) {
	s.pos++
	from, n := s.pos, 0
	rest := s.data[from:]
	for n < len(rest) && !special[rest[n]] {
		n++
	}
	if n == len(rest) {
		s.fail("string without end")
		return nil, false
	}
	s.pos += n
	switch {
	case rest[n] == '"':
		s.pos++
		return rest[:n], true
	case rest[n] < ' ':
		s.fail("control character in a string")
	default:
		return s.escapedText(from)
	}
	return nil, false
}

// special marks the bytes of a string that are not plain content: its end, escapes, what
// JSON forbids, and what may not be UTF-8.
var special = func() (table [256]bool) {
	for c := range table {
		table[c] = c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf
	}
	return table
}()

// escapedText continues where text met the first character that is not plain.
func (s *scanner) escapedText(from int) ([]byte, bool) {
	b := append(s.scratch[:0], s.data[from:s.pos]...)
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			s.scratch = b
			return b, true
		case c < ' ':
			s.fail("control character in a string")
			return nil, false
		case c == '\\':
			b = s.escape(b)
		case c < utf8.RuneSelf:
			b = append(b, c)
			s.pos++
		default:
			r, size := utf8.DecodeRune(s.data[s.pos:])
			b = utf8.AppendRune(b, r)
			s.pos += size
		}
	}
	s.fail("string without end")
	return nil, false
}

func (s *scanner) escape(b []byte) []byte {
	if s.pos+1 >= len(s.data) {
		s.fail("string without end")
		return b
	}
	c := s.data[s.pos+1]
	if c == 'u' {
		return s.escapedRune(b)
	}
	i := bytes.IndexByte([]byte(`"\/bfnrt`), c)
	if i < 0 {
		s.fail("unknown escape")
		return b
	}
	s.pos += 2
	return append(b, "\"\\/\b\f\n\r\t"[i])
}

// escapedRune reads \uXXXX; half of a surrogate pair becomes U+FFFD.
func (s *scanner) escapedRune(b []byte) []byte {
	r, ok := s.hex4(s.pos)
	if !ok {
		s.fail("bad \\u escape")
		return b
	}
	s.pos += 6
	if utf16.IsSurrogate(r) {
		low, ok := s.hex4(s.pos)
		if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
			s.pos += 6
		} else {
			r = utf8.RuneError
		}
	}
	return utf8.AppendRune(b, r)
}

func (s *scanner) hex4(at int) (rune, bool) {
	if at+6 > len(s.data) || s.data[at] != '\\' || s.data[at+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s.data[at+2 : at+6] {
		i := bytes.IndexByte([]byte("0123456789abcdefABCDEF"), c)
		if i < 0 {
			return 0, false
		}
		if i > 15 {
			i -= 6
		}
		r = r<<4 | rune(i)
	}
	return r, true
}
