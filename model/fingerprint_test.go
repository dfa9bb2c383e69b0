package model

import "testing"

// TestFingerprint: both ends have the same, and what is no fingerprint is refused.
func TestFingerprint(t *testing.T) {
	f := NewFingerprint(0xdeadbeef, 0x12)
	if f != NewFingerprint(0x12, 0xdeadbeef) || f.String() != "00000012deadbeef" || Fingerprint(0).String() != "" {
		t.Errorf("got %s", f)
	}
	var read Fingerprint
	if err := read.UnmarshalText([]byte("00000012deadbeef")); err != nil || read != f {
		t.Errorf("got %s, %v, want %s", read, err, f)
	}
	if err := read.UnmarshalText([]byte("ffffffffffffffff")); err != nil || read != 1<<64-1 {
		t.Errorf("the largest: got %s, %v", read, err)
	}
	for _, wrong := range []string{"", "12deadbeef", "000000012deadbeef", "0000001xdeadbeef"} {
		if err := read.UnmarshalText([]byte(wrong)); err == nil {
			t.Errorf("%q was taken as %s", wrong, read)
		}
	}
}
