package record

import (
	"unicode/utf16"
	"unicode/utf8"

	"github.com/closetrace/closetrace/internal/safetext"
)

const hex = "0123456789abcdef"

// quote appends s to b as a JSON string. Invalid UTF-8 becomes U+FFFD. Control
// characters and those that change how a terminal or an editor shows the rest
// of the line are escaped, so that printing a recording is harmless.
func quote(b []byte, s string) []byte {
	if len(s) > MaxString {
		s = cut(s)
	}
	b = append(b, '"')
	from := 0
	for i := plainPrefix(s); i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if plain[c] {
				i++
				continue
			}
			b = append(b, s[from:i]...)
			b = escapeByte(b, c)
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError && !safetext.Hidden(r) || r == utf8.RuneError && size == 3 {
			i += size
			continue
		}
		b = append(b, s[from:i]...)
		if r == utf8.RuneError {
			b = utf8.AppendRune(b, r)
		} else {
			b = escapeRune(b, r)
		}
		i += size
		from = i
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

// plainPrefix returns how many bytes at the beginning of s are certainly plain. It
// looks at eight at once: paths are long, and plain to their end.
func plainPrefix(s string) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		quotes, slashes, deletes := w^ones*'"', w^ones*'\\', w^ones*0x7f
		// A byte has its high bit set after this if it was below its subtrahend;
		// borrows make some plain bytes look otherwise, never the reverse.
		special := w | (w - ones*' ') | (quotes - ones) | (slashes - ones) | (deletes - ones)
		if special&high != 0 {
			break
		}
	}
	return i
}

// cut returns the first MaxString bytes of s without half a character.
func cut(s string) string {
	n := MaxString
	for n > MaxString-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func escapeByte(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	default:
		return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
}

// plain holds the ASCII characters that are written as they are.
var plain = func() (table [utf8.RuneSelf]bool) {
	for c := byte(' '); c < 0x7f; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// escapeRune appends r in one or, beyond the basic plane, two escapes.
func escapeRune(b []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return escapeRune(escapeRune(b, high), low)
	}
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
