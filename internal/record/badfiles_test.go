package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// badFile is a file that somebody may hand to a reader, and what it must say.
type badFile struct {
	name    string
	data    []byte
	records int
	// note is how the first note on something skipped begins, err what the
	// error says; "" is none.
	note, err string
}

// TestBadFiles is the table of what comes of files that are not as they should
// be. Where there is no error, what is readable is read.
func TestBadFiles(t *testing.T) {
	for _, f := range badFiles(t) {
		t.Run(f.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, f.data, 0o600); err != nil {
				t.Fatal(err)
			}
			list, skipped, err := readAll(t, path)
			if len(list) != f.records {
				t.Errorf("got %d records, want %d", len(list), f.records)
			}
			note, message := "", ""
			if len(skipped.First) > 0 {
				note = skipped.First[0].String()
			}
			if err != nil {
				message = strings.ReplaceAll(err.Error(), path, "FILE")
			}
			if !strings.HasPrefix(note, f.note) || (note == "") != (f.note == "") {
				t.Errorf("note:\n got %s\nwant %s", note, f.note)
			}
			if message != f.err {
				t.Errorf("error:\n got %s\nwant %s", message, f.err)
			}
			if strings.Contains(message, "\n") {
				t.Error("the error has several lines")
			}
		})
	}
}

func badFiles(t *testing.T) []badFile {
	text, _ := recording(t, "a.jsonl", 3, 1)
	lines := bytes.SplitAfter(text, []byte("\n"))[:5]
	first, second := len(lines[0]), len(lines[0])+len(lines[1])
	packed, ends := recording(t, "a.jsonl.zst", 3, 1)
	swap := func(old, now string) []byte { return bytes.Replace(text, []byte(old), []byte(now), 1) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	insert := func(line string) []byte { return join(lines[0], []byte(line), lines[1], lines[2], lines[3], lines[4]) }
	flip := func(at int) []byte { b := bytes.Clone(packed); b[at] ^= 0xff; return b }
	at := func(format string, offset int) string { return fmt.Sprintf(format, offset) }
	const foreign = "FILE is not a recording of closetrace: "
	return []badFile{
		{"empty", nil, 0, "", ""},
		{"only white space", []byte("\n \n\t\n"), 0, "", ""},
		{"without a start line", join(lines[1:]...), 4, "", ""},
		{"without a last line feed", text[:len(text)-1], 5, "", ""},
		{"line ends of Windows", bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), 5, "", ""},
		{"a byte order mark", join([]byte("\xef\xbb\xbf"), text), 5, "", ""},
		{"empty lines between", bytes.ReplaceAll(text, []byte("\n"), []byte("\n\n")), 5, "", ""},
		{"two recordings in one", join(text, text), 10, "", ""},
		{"cut in a line", text[:second+20], 2, at("line 3, byte %d: not JSON: ", second), ""},
		{"cut in the first line", text[:20], 0, "line 1, byte 0: not JSON: ", foreign + "line 1, byte 0: not JSON: string without end at byte 18 of the line"},
		{"a line of garbage", insert("garbage \x80\xff\n"), 5, at("line 2, byte %d: not JSON: want {", first), ""},
		{"two lines run into one", join(lines[0], bytes.TrimSpace(lines[1]), lines[2], lines[3], lines[4]), 3, at("line 2, byte %d: not JSON: text after the object", first), ""},
		{"zero bytes at the end", join(text, make([]byte, 5000)), 5, at("line 6, byte %d: 5000 zero bytes, as a file system", len(text)), ""},
		{"a line of 5 MB", insert(strings.Repeat("x", 5<<20) + "\n"), 5, at("line 2, byte %d: longer than 4194304 bytes", first), ""},
		{"an unknown kind", insert(`{"kind":"weather","schema":"closetrace/1"}` + "\n"), 5, at("line 2, byte %d: unknown kind \"weather\"", first), ""},
		{"a newer minor version", bytes.ReplaceAll(text, []byte("closetrace/1"), []byte("closetrace/1.4")), 5, "", ""},
		{"a newer major version", bytes.ReplaceAll(text, []byte("closetrace/1"), []byte("closetrace/2")), 0, "", `FILE, line 1: a newer version of closetrace wrote this recording: schema "closetrace/2", and this version reads "closetrace/1"; use that newer version`},
		{"a newer major version in the middle", join(lines[0], lines[1], bytes.Replace(lines[2], []byte("closetrace/1"), []byte("closetrace/2"), 1)), 2, "", `FILE, line 3: a newer version of closetrace wrote this recording: schema "closetrace/2", and this version reads "closetrace/1"; use that newer version`},
		{"a name of a newer version", swap(`"verdict":"abortive"`, `"verdict":"peaceful"`), 5, at("line 2, byte %d: verdict: unknown name \"peaceful\"", first), ""},
		{"a wrong type", swap(`"pid":812`, `"pid":"812"`), 4, at("line 2, byte %d: wrong type: process.pid: want an integer in range", first), ""},
		{"a number out of range", swap(`"pid":812`, `"pid":99999999999`), 4, at("line 2, byte %d: wrong type: process.pid: want an integer in range", first), ""},
		{"another program's JSON lines", []byte("{\"level\":\"info\"}\n{\"level\":\"warn\"}\n"), 0, "line 1, byte 0: no schema", foreign + "line 1, byte 0: no schema: not a line of a recording"},
		{"JSON over several lines", []byte("{\n  \"kind\": \"start\"\n}\n"), 0, "line 1, byte 0: JSON over several lines", foreign + "line 1, byte 0: JSON over several lines: a recording has one object a line (jq -c writes it so)"},
		{"a JSON list", join([]byte("["), bytes.ReplaceAll(bytes.TrimSpace(text), []byte("\n"), []byte(",")), []byte("]\n")), 0, "line 1, byte 0: a JSON list", foreign + "line 1, byte 0: a JSON list: a recording has one object a line (jq -c '.[]' writes it so)"},
		{"UTF-16", wide(string(text)), 0, "", foreign + "it is UTF-16 text, as a shell's > writes on Windows: record with --output FILE instead"},
		{"gzip", gzipped(t, text), 0, "", foreign + "it is compressed with gzip: decompress it first"},
		{"a packet capture", []byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00"), 0, "", foreign + "it is a packet capture"},
		{"a program", []byte("\x7fELF\x02\x01\x01"), 0, "", foreign + "it is a program"},
		{"a web page", []byte("<!DOCTYPE html><html>"), 0, "", foreign + "it is an HTML page"},
		{"prose", []byte("Dear reader,\nthis is no recording.\n"), 0, "line 1, byte 0: not JSON: want {", foreign + "line 1, byte 0: not JSON: want { at byte 1 of the line"},
		{"an empty zstd frame", frameOf(t, nil), 0, "", ""},
		{"zstd, cut in a frame", packed[:ends[2]+30], 3, at("byte %d of the file: zstd frame: the file ends in the middle of this frame", ends[2]), ""},
		{"zstd, a damaged frame", flip(ends[0] + 40), 4, at("byte %d of the file: zstd frame: ", ends[0]), ""},
		{"zstd, a damaged magic number", flip(ends[1]), 4, at("byte %d of the file: zstd frame: not a zstd frame", ends[1]), ""},
		{"zstd, plain text behind it", join(packed, text), 5, at("byte %d of the file: zstd frame: not a zstd frame", len(packed)), ""},
		{"zstd, a frame to be skipped", join(packed[:ends[0]], []byte("\x53\x2a\x4d\x18\x05\x00\x00\x00hello"), packed[ends[0]:]), 5, "", ""},
		{"zstd of something else", frameOf(t, []byte("hello\n")), 0, "line 1, byte 0: not JSON: want {", foreign + "line 1, byte 0: not JSON: want { at byte 1 of the line"},
		{"zstd, only the magic number", packed[:4], 0, "byte 0 of the file: zstd frame: the file ends in the middle", foreign + "byte 0 of the file: zstd frame: the file ends in the middle of this frame"},
	}
}

func wide(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}

func gzipped(t *testing.T, data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(data)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func frameOf(t *testing.T, data []byte) []byte {
	z, err := zstd.NewWriter(nil, zstd.WithZeroFrames(true))
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(data, nil)
}
