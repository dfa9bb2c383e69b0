package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/wire/internal/capture"
)

// A copy counts the comments that it writes: simple and obsolete blocks have none. A section
// that says how long it is says so no more.
func TestCopy(t *testing.T) {
	const simple, enhanced, obsolete = 3, 6, 2
	data := bytes.Repeat([]byte("x"), 60)
	header := make([]byte, 20) // interface 0, time 0
	binary.LittleEndian.PutUint32(header[12:], 60)
	binary.LittleEndian.PutUint32(header[16:], 60)
	packets := slices.Concat(
		blockOf(1, []byte{1, 0, 0, 0, 0, 0, 0, 0}),
		blockOf(enhanced, append(header, data...)),
		blockOf(simple, append([]byte{60, 0, 0, 0}, data...)),
		blockOf(obsolete, append(header, data...)),
	)
	section := []byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0}
	in := append(blockOf(0x0a0d0d0a, binary.LittleEndian.AppendUint64(section, uint64(len(packets)))), packets...)
	var out bytes.Buffer
	asked := 0
	n, err := capture.Copy(bytes.NewReader(in), &out, func(*capture.Packet) string { asked++; return "said" })
	if err != nil || n != 1 || asked != 3 {
		t.Errorf("%d comments of %d, %v; want 1 of 3", n, asked, err)
	}
	if got := bytes.Count(out.Bytes(), []byte("said")); got != 1 {
		t.Errorf("%d comments written, want 1", got)
	}
	if length := int64(binary.LittleEndian.Uint64(out.Bytes()[16:])); length != -1 {
		t.Errorf("the section is %d bytes long, want -1: not said", length)
	}
	if all, _, err := readAll(strings.NewReader(out.String())); err != nil && !errors.Is(err, io.EOF) || len(all) != 3 {
		t.Errorf("%d packets in the copy, %v; want 3", len(all), err)
	}
}
