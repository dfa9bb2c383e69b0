package safetext

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks one base character may carry. Two are
// enough for the scripts that need them; more are stacked only to paint over
// the lines above and below.
const maxMarks = 2

// Escape returns s with all that a terminal or a reader would not take for
// plain text made visible: control characters (C0, DEL, C1, so no escape
// sequence survives), line and paragraph separators, bidirectional controls,
// zero-width and other invisible characters, spaces other than U+0020,
// private-use and unassigned characters, stacked combining marks, and bytes
// that are not UTF-8. They appear as in a Go string literal: \n, \x1b, \u202e.
//
// A backslash stays as it is, because Windows paths are full of them: the
// result is for reading, and Escape(Escape(s)) == Escape(s). It can't be turned
// back into s.
func Escape(s string) string {
	i := plainPrefix(s)
	if i == len(s) {
		return s
	}
	out := make([]byte, i, len(s)+16)
	copy(out, s)
	marks := 0
	if i == 0 {
		marks = maxMarks // a leading mark would join the text before s
	}
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			out, marks = appendHex(append(out, `\x`...), rune(s[i]), 2), maxMarks
		case !visible(r):
			out, marks = appendEscaped(out, r), maxMarks
		case !unicode.Is(unicode.M, r):
			out, marks = append(out, s[i:i+size]...), 0
		case marks < maxMarks:
			out = append(out, s[i:i+size]...)
			marks++
		default:
			out = appendEscaped(out, r)
		}
		i += size
	}
	return string(out)
}

// plainPrefix returns the length of the prefix of printable ASCII.
func plainPrefix(s string) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return i
		}
	}
	return len(s)
}

// visible reports whether r is drawn by itself or on its base character.
// unicode.IsPrint leaves out controls, format characters and separators, but
// counts some letters, marks and symbols in that have no shape.
func visible(r rune) bool {
	return unicode.IsPrint(r) && !unicode.Is(blank, r)
}

// blank holds characters of the categories L, M and S without a shape: those
// of Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt) that
// IsPrint lets through, and the empty Braille pattern.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, // combining grapheme joiner
		{Lo: 0x115f, Hi: 0x1160, Stride: 1}, // Hangul fillers
		{Lo: 0x17b4, Hi: 0x17b5, Stride: 1}, // Khmer inherent vowels
		{Lo: 0x180b, Hi: 0x180f, Stride: 1}, // Mongolian variation selectors
		{Lo: 0x2800, Hi: 0x2800, Stride: 1}, // Braille pattern blank
		{Lo: 0x3164, Hi: 0x3164, Stride: 1}, // Hangul filler
		{Lo: 0xfe00, Hi: 0xfe0f, Stride: 1}, // variation selectors
		{Lo: 0xffa0, Hi: 0xffa0, Stride: 1}, // halfwidth Hangul filler
	},
	R32: []unicode.Range32{
		{Lo: 0xe0100, Hi: 0xe01ef, Stride: 1}, // variation selectors supplement
	},
}

func appendEscaped(out []byte, r rune) []byte {
	switch {
	case r == '\n':
		return append(out, `\n`...)
	case r == '\r':
		return append(out, `\r`...)
	case r == '\t':
		return append(out, `\t`...)
	case r <= 0x7f:
		return appendHex(append(out, `\x`...), r, 2)
	case r <= 0xffff:
		return appendHex(append(out, `\u`...), r, 4)
	default:
		return appendHex(append(out, `\U`...), r, 8)
	}
}

func appendHex(out []byte, r rune, digits int) []byte {
	hex := strconv.FormatUint(uint64(r), 16)
	for range digits - len(hex) {
		out = append(out, '0')
	}
	return append(out, hex...)
}
