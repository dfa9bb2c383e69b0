package safetext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// WriteJSON writes v as one line of JSON, or on several ones with this indent. What is
// [Hidden] is escaped, so that the output is as harmless on a terminal as a recording
// and still the same JSON.
func WriteJSON(out io.Writer, v any, indent string) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := out.Write(escapeJSON(b.Bytes()))
	return err
}

// escapeJSON escapes what is hidden in JSON, where such characters occur in strings only.
func escapeJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		if c := text[i]; c < 0x7f {
			out = append(out, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if Hidden(r) {
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		} else {
			out = append(out, text[i:i+size]...)
		}
		i += size
	}
	return out
}

// Hidden reports whether JSON escapes r: a control, a direction mark, a line separator,
// a tag or another character without a shape. Unlike [Escape] it keeps spaces and
// private characters: what reads JSON is a program first.
func Hidden(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r < 0xa0, r == 0xad, r == 0x61c, r == 0xfeff:
		return true
	case r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f:
		return true
	case r >= 0xe0000 && r <= 0xe0fff:
		return true
	default:
		return false
	}
}
