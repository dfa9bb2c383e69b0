package main

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

// badFile is a file that a user may pass to replay, and what it must print.
type badFile struct {
	name string
	data []byte
	// code is the exit code, records how many are shown.
	code, records int
	// note is the beginning of the first note on something skipped, err the text of the
	// error; "" is none.
	note, err string
}

// TestBadFiles is the table of what happens with damaged or wrong files. Without an
// error, what is readable is shown, and the exit code is that of success.
func TestBadFiles(t *testing.T) {
	for _, f := range badFiles(t) {
		t.Run(f.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, f.data, 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			if code := run([]string{"replay", path, "--json"}, nil, &out, &errs); code != f.code {
				t.Errorf("exit %d, want %d", code, f.code)
			}
			if got := strings.Count(out.String(), "\n"); got != f.records {
				t.Errorf("got %d records, want %d", got, f.records)
			}
			note, message := "", ""
			for line := range strings.Lines(strings.ReplaceAll(errs.String(), path, "FILE")) {
				line = strings.TrimSuffix(line, "\n")
				told, indented := strings.CutPrefix(line, "  ")
				switch line = strings.TrimPrefix(line, "closetrace: "); {
				case indented && note == "":
					note = told
				case !indented && !strings.HasPrefix(line, "FILE: skipped ") && !strings.HasPrefix(line, "FILE: no stop line"):
					message += line
				}
			}
			if !strings.HasPrefix(note, f.note) || (note == "") != (f.note == "") {
				t.Errorf("note:\n got %s\nwant %s", note, f.note)
			}
			if message != f.err {
				t.Errorf("error:\n got %s\nwant %s", message, f.err)
			}
		})
	}
}

// fiveLines is a good recording.
const fiveLines = `{"kind":"start","schema":"closetrace/1","time":"2026-11-20T17:23:00.000000Z","time_unix_nano":"1795195380000000000","tool":{"version":"v1.0.0"},"backend":"fentry"}
{"kind":"teardown","schema":"closetrace/1","time":"2026-11-20T17:23:00.123456Z","time_unix_nano":"1795195380123456789","id":"7f3a-1c","verdict":"abortive","cause":"unread-data","initiator":"local","terminator":"local-app","confidence":"certain","rule":"close-with-unread-data","network":{"type":"ipv4","local":{"address":"10.0.0.5","port":443},"peer":{"address":"10.0.0.9","port":51034}},"process":{"pid":812,"name":"nginx"},"tcp":{"path":["ESTABLISHED","CLOSE"],"bytes":{"unread":512}},"facts":{"owned":true,"dead":false,"descriptor":"closing","shutdown":3}}
{"kind":"teardown","schema":"closetrace/1","time":"2026-11-20T17:23:00.223456Z","time_unix_nano":"1795195380223456789","id":"7f3a-1d","verdict":"graceful","cause":"fin","initiator":"local","terminator":"local-app","confidence":"certain","rule":"fin-active","network":{"type":"ipv4","local":{"address":"10.0.0.5","port":443},"peer":{"address":"10.0.0.9","port":51035}},"tcp":{"path":["FIN_WAIT2","CLOSE"],"fin":{"received":true}},"facts":{}}
{"kind":"loss","schema":"closetrace/1","time":"2026-11-20T17:23:00.323456Z","time_unix_nano":"1795195380323456789","count":3,"where":"ring-buffer"}
{"kind":"stop","schema":"closetrace/1","time":"2026-11-20T17:23:01.000000Z","time_unix_nano":"1795195381000000000","teardowns":{"abortive":1,"graceful":1},"lost":3,"reason":"signal"}
`

func badFiles(t *testing.T) []badFile {
	text := []byte(fiveLines)
	lines := bytes.SplitAfter(text, []byte("\n"))[:5]
	first, second := len(lines[0]), len(lines[0])+len(lines[1])
	packed, ends := framePerLine(t, lines)
	swap := func(old, now string) []byte { return bytes.Replace(text, []byte(old), []byte(now), 1) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	insert := func(line string) []byte { return join(lines[0], []byte(line), lines[1], lines[2], lines[3], lines[4]) }
	flip := func(at int) []byte { b := bytes.Clone(packed); b[at] ^= 0xff; return b }
	at := func(format string, offset int) string { return fmt.Sprintf(format, offset) }
	const foreign = "FILE is neither a recording nor a capture (pcap, pcapng): "
	return []badFile{
		{"empty", nil, 1, 0, "", foreign + "it is empty"},
		{"only white space", []byte("\n \n\t\n"), 1, 0, "", foreign + "it is empty"},
		{"without a start line", join(lines[1:]...), 0, 4, "", ""},
		{"without a last line feed", text[:len(text)-1], 0, 5, "", ""},
		{"line ends of Windows", bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), 0, 5, "", ""},
		{"a byte order mark", join([]byte("\xef\xbb\xbf"), text), 0, 5, "", ""},
		{"empty lines between", bytes.ReplaceAll(text, []byte("\n"), []byte("\n\n")), 0, 5, "", ""},
		{"two recordings in one", join(text, text), 0, 10, "", ""},
		{"cut in a line", text[:second+20], 0, 2, at("line 3, byte %d: not JSON: ", second), ""},
		{"cut in the first line", text[:20], 1, 0, "", foreign + "line 1, byte 0: not JSON: string without end at byte 18 of the line"},
		{"a line of garbage", insert("garbage \x80\xff\n"), 0, 5, at("line 2, byte %d: not JSON: want {", first), ""},
		{"two lines run into one", join(lines[0], bytes.TrimSpace(lines[1]), lines[2], lines[3], lines[4]), 0, 3, at("line 2, byte %d: not JSON: text after the object", first), ""},
		{"zero bytes at the end", join(text, make([]byte, 5000)), 0, 5, at("line 6, byte %d: 5000 zero bytes, as a file system", len(text)), ""},
		{"a line of 100 MB", insert(strings.Repeat("x", 100<<20) + "\n"), 0, 5, at("line 2, byte %d: longer than 4194304 bytes", first), ""},
		{"an unknown kind", insert(`{"kind":"weather","schema":"closetrace/1"}` + "\n"), 0, 5, at("line 2, byte %d: unknown kind \"weather\"", first), ""},
		{"a newer minor version", bytes.ReplaceAll(text, []byte("closetrace/1"), []byte("closetrace/1.4")), 0, 5, "", ""},
		{"a newer major version", bytes.ReplaceAll(text, []byte("closetrace/1"), []byte("closetrace/2")), 1, 0, "", `FILE, line 1: a newer version of closetrace wrote this recording: schema "closetrace/2", and this version reads "closetrace/1"; use that newer version`},
		{"a newer major version in the middle", join(lines[0], lines[1], bytes.Replace(lines[2], []byte("closetrace/1"), []byte("closetrace/2"), 1)), 1, 2, "", `FILE, line 3: a newer version of closetrace wrote this recording: schema "closetrace/2", and this version reads "closetrace/1"; use that newer version`},
		{"a name of a newer version", swap(`"verdict":"abortive"`, `"verdict":"peaceful"`), 0, 5, at("line 2, byte %d: verdict: unknown name \"peaceful\"", first), ""},
		{"a wrong type", swap(`"pid":812`, `"pid":"812"`), 0, 4, at("line 2, byte %d: wrong type: process.pid: want an integer in range", first), ""},
		{"a number out of range", swap(`"pid":812`, `"pid":99999999999`), 0, 4, at("line 2, byte %d: wrong type: process.pid: want an integer in range", first), ""},
		{"another program's JSON lines", []byte("{\"level\":\"info\"}\n{\"level\":\"warn\"}\n"), 1, 0, "", foreign + "line 1, byte 0: no schema: not a line of a recording"},
		{"JSON over several lines", []byte("{\n  \"kind\": \"start\"\n}\n"), 1, 0, "", foreign + "line 1, byte 0: JSON over several lines: a recording has one object a line (jq -c writes it so)"},
		{"a JSON list", join([]byte("["), bytes.ReplaceAll(bytes.TrimSpace(text), []byte("\n"), []byte(",")), []byte("]\n")), 1, 0, "", foreign + "line 1, byte 0: a JSON list: a recording has one object a line (jq -c '.[]' writes it so)"},
		{"UTF-16", wide(string(text)), 1, 0, "", foreign + "it is UTF-16 text, as a shell's > writes on Windows: record with --output FILE instead"},
		{"gzip", gzipped(t, text), 1, 0, "", foreign + "it is compressed with gzip, and holds no capture: decompress it first"},
		{"a packet capture, cut in its header", []byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00"), 1, 0, "", "open FILE: cut at byte 8, in the middle of the file's header"},
		{"a packet capture without packets", []byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x01\x00\x00\x00"), 0, 2, "", "FILE: the capture has no packets"},
		{"a program", []byte("\x7fELF\x02\x01\x01"), 1, 0, "", foreign + "it is a program"},
		{"a web page", []byte("<!DOCTYPE html><html>"), 1, 0, "", foreign + "it is an HTML page"},
		{"prose", []byte("Dear reader,\nthis is no recording.\n"), 1, 0, "", foreign + "line 1, byte 0: not JSON: want { at byte 1 of the line"},
		{"an empty zstd frame", frameOf(t, nil), 1, 0, "", foreign + "it is empty"},
		{"zstd, cut in a frame", packed[:ends[2]+30], 0, 3, at("byte %d of the file: zstd frame: the file ends in the middle of this frame", ends[2]), ""},
		{"zstd, a damaged frame", flip(ends[0] + 40), 0, 4, at("byte %d of the file: zstd frame: ", ends[0]), ""},
		{"zstd, a damaged magic number", flip(ends[1]), 0, 4, at("byte %d of the file: zstd frame: not a zstd frame", ends[1]), ""},
		{"zstd, plain text behind it", join(packed, text), 0, 5, at("byte %d of the file: zstd frame: not a zstd frame", len(packed)), ""},
		{"zstd, a frame to be skipped", join(packed[:ends[0]], []byte("\x53\x2a\x4d\x18\x05\x00\x00\x00hello"), packed[ends[0]:]), 0, 5, "", ""},
		{"zstd of something else", frameOf(t, []byte("hello\n")), 1, 0, "", foreign + "line 1, byte 0: not JSON: want { at byte 1 of the line"},
		{"zstd, only the magic number", packed[:4], 1, 0, "", foreign + "byte 0 of the file: zstd frame: the file ends in the middle of this frame"},
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

// framePerLine compresses each line alone, as a slow recording does, and returns where
// each frame ends.
func framePerLine(t *testing.T, lines [][]byte) (packed []byte, ends []int) {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		packed = z.EncodeAll(line, packed)
		ends = append(ends, len(packed))
	}
	return packed, ends
}
