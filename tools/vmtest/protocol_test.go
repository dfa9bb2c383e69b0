package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestFramesSurviveNoiseAndTheirOwnContent(t *testing.T) {
	var line bytes.Buffer
	line.WriteString("firmware noise without a line break")
	w := &frameWriter{w: &line, marker: "MARK"}
	sent := []frame{
		{frameOutput, "", []byte("=== RUN\r\nMARK exit 1 \"\"\n0")},
		{frameFile, "/tmp/a name\n.txt", []byte{0, 1, 2, 255}},
		{frameOutput, "", nil},
		{frameExit, "", []byte("7")},
	}
	for _, f := range sent {
		if err := w.send(f.kind, f.name, f.data); err != nil {
			t.Fatal(err)
		}
		line.WriteString("[ 1.0] kernel noise\nOTHER exit 1 \"\"\n0\n")
	}
	var got []frame
	err := readFrames(&line, "MARK", func(f frame) error {
		got = append(got, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b frame) bool { return a.kind == b.kind && a.name == b.name && bytes.Equal(a.data, b.data) }
	if !slices.EqualFunc(got, sent, same) {
		t.Errorf("got  %q\nsent %q", got, sent)
	}
}

func TestStreamWithoutExitFrameIsNoResult(t *testing.T) {
	for name, stream := range map[string]string{
		"empty":           "",
		"output only":     "MARK output 2 \"\"\nok",
		"cut in a header": "MARK output 2",
		"cut in a frame":  "MARK exit 3 \"\"\n1",
		"foreign marker":  "SPAM exit 1 \"\"\n0",
	} {
		err := readFrames(bytes.NewBufferString(stream), "MARK", func(frame) error { return nil })
		if !errors.Is(err, errNoResult) {
			t.Errorf("%s: got %v, want errNoResult", name, err)
		}
	}
}

func TestBrokenFrameHeadersAreErrors(t *testing.T) {
	for _, header := range []string{"MARK", "MARK exit -1 \"\"", "MARK exit 9999999999 \"\"", "MARK exit x \"\""} {
		err := readFrames(bytes.NewBufferString(header+" \n0"), "MARK", func(frame) error { return nil })
		if err == nil {
			t.Errorf("%q: got no error", header)
		}
	}
}

func TestHandlerErrorStopsReading(t *testing.T) {
	full := errors.New("disk full")
	stream := bytes.NewBufferString("MARK output 0 \"\"\nMARK exit 1 \"\"\n0")
	calls := 0
	err := readFrames(stream, "MARK", func(frame) error { calls++; return fmt.Errorf("save: %w", full) })
	if !errors.Is(err, full) || calls != 1 {
		t.Errorf("got %v after %d calls, want %v after 1", err, calls, full)
	}
}
