package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// bombMemory bounds the writable memory of a command, in bytes: Go asks for it in steps of
// 64 MB. What the kernel counts as resident begins with what the test has.
const bombMemory = 200 << 20

// TestInputBombs gives each command that reads files those of 1 MB that were made to take
// memory or time: both are bounded, errors are lines, and the exit code is documented.
func TestInputBombs(t *testing.T) {
	closetrace := program(t)
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		t.Skip(err)
	}
	folder := t.TempDir()
	for name, text := range bombs(t) {
		path := filepath.Join(folder, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			for _, arguments := range [][]string{
				{"replay", path, "--json"},
				{"replay", path, "--format", "csv"},
				{"replay", path, "--plain"},
				{"replay", path, "--format", "pcap-filter"},
				{"diagnose", path},
				{"summary", path},
				{"report", path, "-o", "-"},
				{"join", path, path},
				{"diff", path, path},
				{"anonymize", path},
				{"replay", path, "--with", path, "--json"},
				{"annotate", path, path + ".out", "--with", path, "--force"},
			} {
				c := exec.Command(prlimit, append([]string{fmt.Sprintf("--data=%d", bombMemory), closetrace}, arguments...)...)
				var errors bytes.Buffer
				c.Stderr = &errors // the output goes nowhere
				late := time.AfterFunc(2*time.Minute, func() { _ = c.Process.Kill() })
				_ = c.Run()
				late.Stop()
				used, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
				if !ok {
					t.Skip("no rusage")
				}
				took := time.Duration(used.Utime.Nano() + used.Stime.Nano())
				t.Logf("%-9s %s: exit %d, %v: %.100q", arguments[0], name, c.ProcessState.ExitCode(), took.Round(time.Millisecond), errors.String())
				if took > 20*time.Second {
					t.Errorf("%v took %v of processor time", arguments, took)
				}
				if code := c.ProcessState.ExitCode(); code != exitOK && code != exitRuntime && code != exitUsage {
					t.Errorf("%v: exit %d", arguments, code)
				}
				for line := range strings.Lines(errors.String()) {
					if len(line) > 600 || !strings.HasPrefix(line, "closetrace: ") && !strings.HasPrefix(line, "  ") {
						t.Errorf("%v: a line of %d bytes on standard error: %.200q", arguments, len(line), line)
					}
				}
			}
		})
	}
}

// bombs are the files.
func bombs(t *testing.T) map[string][]byte {
	const size = 1 << 20
	fill := func(begin []byte, unit func(i int) []byte) []byte {
		out := slices.Clone(begin)
		for i := 0; len(out) < size; i++ {
			out = append(out, unit(i)...)
		}
		return out
	}
	start := []byte(fiveLines[:strings.IndexByte(fiveLines, '\n')+1])
	_, rest, _ := strings.Cut(fiveLines, "\n")
	teardown, _, _ := strings.Cut(rest, "\n")
	line := func(old, new string) []byte { return []byte(strings.Replace(teardown, old, new, 1) + "\n") }
	le := binary.LittleEndian
	words := func(all ...uint32) (b []byte) {
		for _, w := range all {
			b = le.AppendUint32(b, w)
		}
		return b
	}
	pcap := emptyCapture
	section := words(0x0a0d0d0a, 28, 0x1a2b3c4d, 0x00000001, 0xffffffff, 0xffffffff, 28)
	device := words(1, 20, 1, 0, 20)
	packet := func(i int, flags byte) []byte { // Ethernet, IPv4, TCP, each of another connection
		b := append(make([]byte, 12), 8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, byte(i>>16), byte(i>>8), byte(i), 10, 0, 0, 1)
		b = append(b, byte(i>>8), byte(i), 1, 0xbb, 0, 0, 0, byte(i), 0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0)
		return append(words(uint32(i), 0, uint32(len(b)), uint32(len(b))), b...)
	}
	zeros := append(slices.Clone(pcap), make([]byte, 100<<20)...) // packets without a byte
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(zeros)
	_ = z.Close()
	packer, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"lines that are none":           bytes.Repeat([]byte("x\n"), size/2),
		"one line":                      slices.Concat(start, bytes.Repeat([]byte("x"), size)),
		"deep lists":                    slices.Concat(start, []byte(`{"kind":"teardown","x":`), bytes.Repeat([]byte("["), size)),
		"deep objects":                  slices.Concat(start, []byte(`{"kind":"teardown","x":`), bytes.Repeat([]byte(`{"a":`), size/5)),
		"a number of 1 MB":              slices.Concat(start, line(`"pid":`, `"pid":`+strings.Repeat("9", size))),
		"a name of 1 MB":                slices.Concat(start, line(`"nginx"`, `"`+strings.Repeat(`\u202e`, size/6)+`"`)),
		"members again and again":       slices.Concat(start, []byte(`{"kind":"teardown"`), bytes.Repeat([]byte(`,"id":"x"`), size/9), []byte("}\n")),
		"starts":                        fill(start, func(int) []byte { return start }),
		"other names":                   fill(start, func(i int) []byte { return line(`"nginx"`, fmt.Sprintf(`"n%d"`, i)) }),
		"times far apart":               fill(start, func(i int) []byte { return line(`"time_unix_nano":"`, fmt.Sprintf(`"time_unix_nano":"%d`, i%9+1)) }),
		"a recording in one zstd frame": packer.EncodeAll(fill(start, func(i int) []byte { return line(`"nginx"`, fmt.Sprintf(`"n%d"`, i)) }), nil),
		"a window of 2 GB":              slices.Concat([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8}, bytes.Repeat([]byte{0, 0, 0}, size/3)),
		"pcap of large packets":         fill(pcap, func(int) []byte { return words(0, 0, 0xffffffff, 0xffffffff) }),
		"pcap of empty packets":         fill(pcap, func(i int) []byte { return words(uint32(i), 0, 0, 0) }),
		"pcap of SYNs":                  fill(pcap, func(i int) []byte { return packet(i, 2) }),
		"pcap of RSTs":                  fill(pcap, func(i int) []byte { return packet(i, 4) }),
		"pcap of FINs":                  fill(pcap, func(i int) []byte { return packet(i, 0x11) }),
		"pcapng of sections":            fill(nil, func(int) []byte { return section }),
		"pcapng of interfaces":          fill(section, func(int) []byte { return device }),
		"pcapng with a block of 4 GB":   slices.Concat(section, device, words(6, 0xfffffffc), make([]byte, size)),
		"pcapng with long options":      slices.Concat(section, words(1, size+20, 1, 0, 0xffff0001), make([]byte, size-4), words(size+20)),
		"pcapng of unknown blocks":      fill(section, func(int) []byte { return words(0x7777, 12, 12) }),
		"100 MB of zeros in gzip":       zipped.Bytes(),
		"100 MB of zeros in zstd":       packer.EncodeAll(zeros, nil),
	}
}
