package wire_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// remarksOf makes a capture and returns what there is to say of it.
func remarksOf(t *testing.T, script func(m *wiretest.Maker)) []string {
	t.Helper()
	var file bytes.Buffer
	script(wiretest.New(&file, begin))
	f, _, err := wire.Open(&file, "made", wire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, err := range f.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return f.Remarks()
}

// RSTs alone end nothing that is known, and are counted.
func TestRemarkOnRSTsAlone(t *testing.T) {
	got := remarksOf(t, func(m *wiretest.Maker) {
		for n := range 8 {
			s := nth(itsRST, n)
			m.Send(&s)
		}
	})
	if want := []string{"8 RSTs of connections of which nothing else is in the capture, the first from 192.0.2.1:443 to 10.0.0.1:40000"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
