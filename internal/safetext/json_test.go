package safetext

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// TestWriteJSON: what is written has nothing that acts on a terminal, and says the same
// as what went in. Unicode's categories are the witness of what acts.
func TestWriteJSON(t *testing.T) {
	var all strings.Builder
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) || r >= 0xe0001 && r <= 0xe007f {
			all.WriteRune(r)
		}
	}
	all.WriteString(`<a href="x"> größe \ 日本 👍`)
	for _, indent := range []string{"", "  "} {
		var b bytes.Buffer
		if err := WriteJSON(&b, map[string]string{all.String(): all.String()}, indent); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for _, r := range strings.ReplaceAll(text, "\n", "") {
			if unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
				t.Errorf("the output holds %U", r)
			}
		}
		for _, plain := range []string{"größe", "日本", "👍", "<a href="} {
			if !strings.Contains(text, plain) {
				t.Errorf("%q is not written as it is: %s", plain, text[len(text)-120:])
			}
		}
		var back map[string]string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if back[all.String()] != all.String() {
			t.Errorf("indent %q: what is read back is not what was written", indent)
		}
	}
}
