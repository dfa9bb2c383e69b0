package safetext

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"ASCII is kept", "nginx: worker process", "nginx: worker process"},
		{"a Windows path is kept", `C:\new\x1b.exe`, `C:\new\x1b.exe`},
		{"other scripts are kept", "größe 日本 naïve", "größe 日本 naïve"},
		{"decomposed accents are kept", "e\u0301", "e\u0301"},
		{"a Hindi syllable is kept", "\u0915\u094d\u0937\u093f", "\u0915\u094d\u0937\u093f"},
		{"colour sequence", "\x1b[31mred", `\x1b[31mred`},
		{"window title", "\x1b]0;owned\x07", `\x1b]0;owned\x07`},
		{"C1 as a rune", "a\u009b31m", `a\u009b31m`},
		{"C1 as a byte", "a\x9b31m", `a\x9b31m`},
		{"line forging", "a\nb\rc\td", `a\nb\rc\td`},
		{"delete and NUL", "\x7f\x00", `\x7f\x00`},
		{"right-to-left override", "exe.\u202etxt", `exe.\u202etxt`},
		{"isolates and marks", "\u2066a\u2069\u200e\u061c", `\u2066a\u2069\u200e\u061c`},
		{"zero width", "a\u200bb\u200d\ufeff\u2060", `a\u200bb\u200d\ufeff\u2060`},
		{"soft hyphen and no-break space", "a\u00adb\u00a0c", `a\u00adb\u00a0c`},
		{"separators", "a\u2028b\u2029", `a\u2028b\u2029`},
		{"tag characters", "a\U000e0041", `a\U000e0041`},
		{"private use", "\ue0b0", `\ue0b0`},
		{"blank letters", "a\u3164\u2800\ufe0f", `a\u3164\u2800\ufe0f`},
		{"invalid bytes", "a\xff\xc3(", `a\xff\xc3(`},
		{"surrogate half", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"a leading mark", "\u0301a", `\u0301a`},
		{"a mark after an escape", "\x1b\u0301", `\x1b\u0301`},
		{"stacked marks", "a\u0301\u0302\u0303\u0304", "a\u0301\u0302" + `\u0303\u0304`},
		{"the replacement character itself", "a\ufffd", "a\ufffd"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Escape(test.in); got != test.want {
				t.Errorf("Escape(%+q) = %+q, want %+q", test.in, got, test.want)
			}
		})
	}
}

// TestEscapeEveryRune has the Unicode categories as its witness.
func TestEscapeEveryRune(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		got := Escape("x" + string(r))
		bad := unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Bidi_Control,
			unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
		if kept := strings.ContainsRune(got[1:], r) && r != '\\'; kept && bad {
			t.Fatalf("Escape keeps %U", r)
		}
		if unicode.In(r, unicode.Lu, unicode.Ll, unicode.Nd) && got != "x"+string(r) {
			t.Fatalf("Escape changes %U to %q", r, got)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"nginx", "\x1b[31m", "a\u0301\u0301\u0301", "\x9b", "\u202e", "\xff\xfe", `\\x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Escape(s)
		if !utf8.ValidString(got) {
			t.Fatalf("Escape(%+q) = %+q is not UTF-8", s, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Bidi_Control) {
				t.Fatalf("Escape(%+q) = %+q holds %U", s, got, r)
			}
		}
		if again := Escape(got); again != got {
			t.Fatalf("Escape twice: %+q, once: %+q", again, got)
		}
	})
}

func BenchmarkEscape(b *testing.B) {
	for name, s := range map[string]string{"plain": "nginx: worker", "hostile": "ng\x1b[31minx\u202e"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Escape(s)
			}
		})
	}
}
