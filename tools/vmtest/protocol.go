package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// The guest reports through its second serial port, as a stream of frames:
//
//	MARKER KIND LENGTH NAME\n
//	LENGTH bytes
//
// The marker is drawn anew for each run, so that nothing else on the port
// (firmware, a test that writes to the device) is taken for a frame.

// frameKind says what a frame carries.
type frameKind string

const (
	frameOutput frameKind = "output" // what the test printed
	frameNote   frameKind = "note"   // a remark of the guest's /init
	frameKernel frameKind = "kernel" // one line of a problem in the kernel's log
	frameFile   frameKind = "file"   // a file asked for by -get; has a name
	frameExit   frameKind = "exit"   // the exit code in decimal; always last
)

// maxFrame bounds what a broken guest can make the host allocate.
const maxFrame = 1 << 30

var errNoResult = errors.New("the guest ended without a result")

// frameWriter may be used by several goroutines.
type frameWriter struct {
	mu     sync.Mutex
	w      io.Writer
	marker string
}

func (f *frameWriter) send(kind frameKind, name string, data []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	// The line break before the marker ends what firmware may have left.
	if _, err := fmt.Fprintf(f.w, "\n%s %s %d %q\n", f.marker, kind, len(data), name); err != nil {
		return err
	}
	_, err := f.w.Write(data)
	return err
}

// Write sends p as test output.
func (f *frameWriter) Write(p []byte) (int, error) {
	return len(p), f.send(frameOutput, "", p)
}

type frame struct {
	kind frameKind
	name string
	data []byte
}

// readFrames hands every frame to handle until the exit frame has been
// handled. Other bytes on the line are skipped. It returns errNoResult when
// the stream ends without an exit frame.
func readFrames(r io.Reader, marker string, handle func(frame) error) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return errNoResult
		}
		if err != nil {
			return fmt.Errorf("read the guest's result: %w", err)
		}
		rest, ours := strings.CutPrefix(line, marker+" ")
		if !ours {
			continue
		}
		f, err := readFrame(in, rest)
		if err != nil {
			return err
		}
		if err := handle(f); err != nil {
			return err
		}
		if f.kind == frameExit {
			return nil
		}
	}
}

func readFrame(in io.Reader, header string) (frame, error) {
	var f frame
	var size int
	if _, err := fmt.Sscanf(header, "%s %d %q\n", &f.kind, &size, &f.name); err != nil {
		return f, fmt.Errorf("read frame header %q: %w", header, err)
	}
	if size < 0 || size > maxFrame {
		return f, fmt.Errorf("read frame header %q: size out of range", header)
	}
	f.data = make([]byte, size)
	if _, err := io.ReadFull(in, f.data); err != nil {
		return f, errors.Join(errNoResult, err)
	}
	return f, nil
}
