package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// output is what a tracer wrote.
type output struct {
	ends  uint64 // lines that report an end of the generator's, or packets
	bytes int64  // size of the file
	// Of a recording: what it reports as lost, by place, and teardowns without
	// an address of the generator's.
	losses map[string]uint64
	others uint64
}

// lost is the number of ends that the recording reports as lost.
func (o *output) lost() uint64 { return o.losses["ring-buffer"] }

// lossLine is a line of kind loss.
type lossLine struct {
	Count uint64 `json:"count"`
	Where string `json:"where"`
}

// countsLine is a line of kind counts: ends that were only counted.
type countsLine struct {
	Counted struct {
		Ends      uint64 `json:"ends"`
		TakenBack uint64 `json:"taken_back"`
	} `json:"counted"`
}

// ourName is how the generator's process is named in lines of counts, which have no
// addresses: as the kernel does, by 15 bytes.
func ourName() string {
	name := filepath.Base(os.Args[0])
	return `"name":"` + name[:min(len(name), 15)] + `"`
}

// readOutput counts what is in file. Files have gigabytes.
func (c *contender) readOutput(path string) (output, error) {
	file, err := os.Open(path)
	if err != nil {
		return output{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return output{}, err
	}
	o := output{bytes: info.Size(), losses: map[string]uint64{}}
	var in io.Reader = file
	switch filepath.Ext(path) {
	case ".zst":
		frames, err := zstd.NewReader(file)
		if err != nil {
			return o, err
		}
		defer frames.Close()
		in = frames
	case ".pcap":
		o.ends, err = countPackets(file)
		return o, err
	}
	return o, o.count(in, c.marks)
}

func (o *output) count(in io.Reader, marks []string) error {
	reader := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := reader.ReadSlice('\n')
		switch {
		case hasAll(line, marks):
			o.ends++
		case bytes.Contains(line, []byte(counts)):
			var l countsLine
			if err := json.Unmarshal(line, &l); err != nil {
				return fmt.Errorf("read %q: %w", line, err)
			}
			if bytes.Contains(line, []byte(ourName())) {
				o.ends += l.Counted.Ends - l.Counted.TakenBack
			} else {
				o.others += l.Counted.Ends - l.Counted.TakenBack
			}
		case bytes.Contains(line, []byte(teardown)):
			o.others++
		case bytes.Contains(line, []byte(`"kind":"loss"`)):
			var loss lossLine
			if err := json.Unmarshal(line, &loss); err != nil {
				return fmt.Errorf("read %q: %w", line, err)
			}
			o.losses[loss.Where] += loss.Count
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read output: %w", err)
		}
	}
}

func hasAll(line []byte, marks []string) bool {
	for _, mark := range marks {
		if !bytes.Contains(line, []byte(mark)) {
			return false
		}
	}
	return true
}

// countPackets counts the records of a pcap file of this machine's byte order.
func countPackets(in io.Reader) (n uint64, err error) {
	const fileHeader, packetHeader = 24, 16
	reader := bufio.NewReaderSize(in, 1<<20)
	if _, err := reader.Discard(fileHeader); err != nil {
		return 0, fmt.Errorf("read capture: %w", err)
	}
	for {
		header, err := reader.Peek(packetHeader)
		if err != nil {
			return n, nil // the end, or a packet that was cut
		}
		size := int(binary.NativeEndian.Uint32(header[8:]))
		if _, err := reader.Discard(packetHeader + size); err != nil {
			return n, nil // the same
		}
		n++
	}
}
