package etwsrc

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// busy is a trace of n connections, one after the other, that are closed by
// both sides, and then reset by the peer. The reset is told on a CPU of its
// own: without that the end would look graceful.
func busy(t *testing.T, n int) *etltest.Trace {
	b := etltest.NewBuilder(t, etltest.Releases()[7])
	for i := range n {
		c := connection(b, i)
		b.Base = time.Duration(i) * sec
		c.Accept(0)
		c.State(50*ms, etltest.Established, etltest.CloseWait)
		c.FIN(100*ms, etltest.CloseWait, etltest.LastAck)
		c.Add(120*ms, 0, 2, raw.TCPIP, 1184, etltest.Fields{"Tcb": c.TCB, "LocalAddress": c.Local, "RemoteAddress": c.Peer})
		c.State(120*ms, etltest.LastAck, etltest.Closed)
	}
	tr := b.Trace()
	tr.BufferSize = 1024
	return tr
}

// confidences reads what it can of a trace and returns the confidence of each
// end by the number of its connection.
func confidences(t *testing.T, data []byte) map[int]model.Confidence {
	t.Helper()
	f, err := NewFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]model.Confidence{}
	lost := uint64(0)
	for r := range model.Judged(f.Events(t.Context())) {
		lost += r.Loss.Count
		if r.Kind == model.KindTeardown {
			if r.Teardown.Verdict != model.Abortive && r.Teardown.Confidence == model.Certain {
				t.Errorf("%v is certainly %v, and was reset", r.Teardown.Network.Peer, r.Teardown.Verdict)
			}
			if e := &r.Teardown.Evidence; e.Gap && !e.Uncounted && lost == 0 {
				t.Errorf("%v: a gap, and nothing was lost", r.Teardown.Network.Peer)
			}
			got[int(r.Teardown.Network.Peer.Port)-20000] = r.Teardown.Confidence
		}
	}
	return got
}

// A file that was cut lacks the last buffers of each CPU, whose events are of
// any time: a RST that one of them has would be missed.
func TestCutFilesMakeNothingCertain(t *testing.T) {
	data := busy(t, 20).Bytes()
	if got := confidences(t, data); len(got) != 20 || got[0] != model.Certain || got[19] != model.Certain {
		t.Fatalf("of the whole file %v, want that all are certain", got)
	}
	got := confidences(t, data[:len(data)*2/3])
	if len(got) < 5 {
		t.Errorf("%d ends of two thirds of the file, want some", len(got))
	}
	for i, c := range got {
		if c != model.Inferred {
			t.Errorf("connection %d is %v, want inferred", i, c)
		}
	}
}

// A circular file that was written over lacks old buffers, of any CPU, that
// were full before the oldest of the others was.
func TestOverwrittenBuffersMakeTheOldestInferred(t *testing.T) {
	const size = 1024
	tr := busy(t, 40)
	tr.Circular = true
	data := tr.Bytes()
	certain := 0
	for gone := 1; gone < len(data)/size-1; gone++ {
		left := append(data[:size:size], data[size*(1+gone):]...) // the header has the number of all
		for _, c := range confidences(t, left) {
			if c == model.Certain {
				certain++
			}
		}
	}
	if certain == 0 {
		t.Error("nothing is certain in files that were written over")
	}
}

// A trace from memory lacks the buffers of each CPU that were written over, and
// does not say how many.
func TestTracesFromMemoryMakeTheOldestInferred(t *testing.T) {
	const size = 1024
	tr := busy(t, 40)
	tr.Memory = true
	data := tr.Bytes()
	certain := 0
	for gone := range len(data)/size - 1 {
		left := append(data[:size:size], data[size*(1+gone):]...)
		binary.LittleEndian.PutUint32(left[72+32+36:], uint32(len(left)/size)) // BuffersWritten
		for _, c := range confidences(t, left) {
			if c == model.Certain {
				certain++
			}
		}
	}
	if certain == 0 {
		t.Error("nothing is certain in traces from memory")
	}
}

// Where a buffer is damaged its CPU's records are missing until the next one
// begins, also around connections that were opened after the damage was found.
func TestDamagedBuffersMakeTheirTimeInferred(t *testing.T) {
	const size = 1024
	data := busy(t, 20).Bytes()
	certain := 0
	for at := size; at < len(data); at += size {
		broken := bytes.Clone(data)
		broken[at+72+3] = 0
		for _, c := range confidences(t, broken) {
			if c == model.Certain {
				certain++
			}
		}
	}
	if certain == 0 {
		t.Error("any damage makes everything inferred")
	}
}
