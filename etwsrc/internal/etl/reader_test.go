package etl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// events returns n events on several CPUs, the first of each 16 with a
// payload that compresses well.
func events(n int) []etltest.Event {
	list := make([]etltest.Event, n)
	for i := range list {
		list[i] = etltest.Event{
			At: time.Duration(i) * 1234 * time.Microsecond, CPU: i * i % 5, Provider: raw.TCPIP.GUID(),
			ID: uint16(i), Version: uint8(i), Level: 4, PID: uint32(i), TID: uint32(2 * i),
			Keyword: 0x84, Extended: i % 3, Data: fmt.Appendf(nil, "payload %d", i),
		}
		if i%16 == 0 {
			list[i].Data = bytes.Repeat([]byte{byte(i)}, 40+i%4000)
		}
	}
	return list
}

func read(t *testing.T, data []byte) (*Reader, []raw.Event) {
	t.Helper()
	r, err := New(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var list []raw.Event
	var e raw.Event
	for r.Next(&e) {
		if raw.ProviderOf(&e.Provider) == raw.TCPIP {
			e.Data = bytes.Clone(e.Data)
			list = append(list, e)
		}
	}
	return r, list
}

func TestEveryLayoutIsReadBack(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		for _, pointers := range []int{4, 8} {
			for _, clock := range []uint32{etltest.ClockQPC, etltest.ClockSystem, etltest.ClockCPU} {
				for _, frequency := range []uint64{2_994_000_000, 10_000_000, 3_000_000} {
					tr := etltest.Trace{
						PointerSize: pointers, Clock: clock, Frequency: frequency, Compressed: compressed,
						Major: 6, Minor: 1, Build: 7601, Events: events(700),
					}
					t.Run(fmt.Sprint("compressed ", compressed, " pointers ", pointers, " clock ", clock, " frequency ", frequency), func(t *testing.T) {
						testReadBack(t, &tr)
					})
				}
			}
		}
	}
}

func testReadBack(t *testing.T, tr *etltest.Trace) {
	r, list := read(t, tr.Bytes())
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if info := r.Info(); info.OS != "6.1.7601" || info.PointerSize != tr.PointerSize || info.Session != "closetrace test" || info.Start.Go() != tr.Start {
		t.Errorf("info = %+v, want that of %+v", info, tr.Start)
	}
	if len(list) != len(tr.Events) {
		t.Fatalf("%d events, want %d", len(list), len(tr.Events))
	}
	for i, e := range list {
		w := tr.Events[i]
		if off := e.Time.Go().Sub(tr.Start.Add(w.At)).Abs(); off > time.Microsecond {
			t.Fatalf("event %d at %v, want %v", i, e.Time.Go(), tr.Start.Add(w.At))
		}
		if e.ID != w.ID || e.Version != w.Version || e.PID != w.PID || e.TID != w.TID || e.Keyword != w.Keyword ||
			int(e.PointerSize) != tr.PointerSize || !bytes.Equal(e.Data, w.Data) {
			t.Fatalf("event %d = %+v, want %+v", i, e, w)
		}
	}
}

func TestCircularFilesAreReadInTheOrderOfTime(t *testing.T) {
	tr := etltest.Trace{Circular: true, Events: events(700)}
	data := tr.Bytes()
	const size = 8192
	turn := size + (len(data)/size-1)/2*size
	turned := append(append(bytes.Clone(data[:size]), data[turn:]...), data[size:turn]...)
	r, list := read(t, turned)
	if r.Err() != nil || len(list) != len(tr.Events) {
		t.Fatalf("%d events, %v; want %d", len(list), r.Err(), len(tr.Events))
	}
	for i, e := range list {
		if e.ID != uint16(i) {
			t.Fatalf("event %d has ID %d", i, e.ID)
		}
	}
}

// A merged file has what two sessions recorded: each event twice, each with the
// time at which its session took it.
func TestEventsOfTwoSessionsAreReadOnce(t *testing.T) {
	const other = 3 * time.Microsecond
	var tr etltest.Trace
	for _, e := range events(700) {
		twin := e
		twin.Logger, twin.At = 1, e.At+other
		tr.Events = append(tr.Events, e, twin)
		if e.ID%10 == 0 { // really twice
			e.At, twin.At = e.At+10*other, twin.At+10*other
			tr.Events = append(tr.Events, e, twin)
		}
	}
	if _, list := read(t, tr.Bytes()); len(list) != 770 {
		t.Errorf("%d events, want 770", len(list))
	}
	for i := range tr.Events { // in one session they are different events
		tr.Events[i].Logger = 0
	}
	if _, list := read(t, tr.Bytes()); len(list) != 2*770 {
		t.Errorf("%d events of one session, want %d", len(list), 2*770)
	}
}

func TestTruncatedFilesAreReadAsFarAsTheyGo(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		tr := etltest.Trace{Compressed: compressed, Events: events(700)}
		data := tr.Bytes()
		before := 0
		for size := 8192; size < len(data); size += 777 {
			r, list := read(t, data[:size])
			if !errors.Is(r.Err(), io.ErrUnexpectedEOF) || !strings.Contains(r.Err().Error(), "trace ends early") {
				t.Fatalf("error of %d bytes = %v, want that the trace ends early", size, r.Err())
			}
			// Where a buffer's records are all there, only buffers are missing.
			at := fmt.Sprintf(" %d at offset %d:", size/8192, size/8192*8192)
			if text := r.Err().Error(); !compressed && strings.Contains(text, "offset") && !strings.Contains(text, at) {
				t.Fatalf("error of %d bytes = %v, want buffer%s", size, r.Err(), at)
			}
			if len(list) < before {
				t.Fatalf("%d events of %d bytes, %d of fewer bytes", len(list), size, before)
			}
			before = len(list)
		}
		if before < 600 {
			t.Errorf("compressed %v: %d events of nearly the whole file, want most of 700", compressed, before)
		}
	}
}

func TestUnfinishedFilesEndWithAClearError(t *testing.T) {
	tr := etltest.Trace{Unfinished: true, Events: events(50)}
	r, list := read(t, append(tr.Bytes(), make([]byte, 5*8192)...))
	if len(list) != 50 || r.Err() == nil || !strings.Contains(r.Err().Error(), "only zeros") {
		t.Errorf("%d events, %v; want 50 and an error about zeros", len(list), r.Err())
	}
	if r.Info().End != 0 {
		t.Errorf("end = %v, want unknown", r.Info().End)
	}
}

func TestDamagedBuffersAreSkippedAndCounted(t *testing.T) {
	tr := etltest.Trace{Events: events(700)}
	data := tr.Bytes()
	data[8192+72+3] = 0 // the mark of the second buffer's first record
	data[3*8192+72] = 1 // an impossible size in the fourth
	r, list := read(t, data)
	if r.Damaged() != 2 || r.Err() == nil || !strings.Contains(r.Err().Error(), "2 buffers are damaged") {
		t.Errorf("damaged = %d, error %v; want 2", r.Damaged(), r.Err())
	}
	if len(list) == 0 || len(list) >= 700 {
		t.Errorf("%d events, want those of the other buffers", len(list))
	}
}

// A small file whose buffers claim 16 MB each, on many CPUs, takes no more
// memory than it has bytes to fill.
func TestClaimedSizesTakeNoMemory(t *testing.T) {
	tr := etltest.Trace{Compressed: true}
	for i := range 200 {
		tr.Events = append(tr.Events, etltest.Event{CPU: i, At: time.Duration(i), Provider: raw.TCPIP.GUID(), Data: make([]byte, 20)})
	}
	data := tr.Bytes()
	le := binary.LittleEndian
	for at := 8192; at < len(data); at += int(le.Uint32(data[at:])) {
		le.PutUint32(data[at+0x30:], maxBuffer)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, _ := read(t, data)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d MB were allocated for a file of %d kB", used>>20, len(data)>>10)
	}
	if r.Damaged() != 200 {
		t.Errorf("%d buffers are damaged, want all 200: they are not as long as they say", r.Damaged())
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	const size = 8192
	described := (&etltest.Trace{}).Bytes()[:size]
	empty := append(bytes.Clone(described[:bufferHeader]), etltest.Compress(described[bufferHeader:size])...)
	binary.LittleEndian.PutUint32(empty, uint32(len(empty)))
	binary.LittleEndian.PutUint32(empty[0x30:], 0) // its records have -72 bytes
	empty[0x34] |= flagCompressed
	full := bytes.Clone(empty)
	binary.LittleEndian.PutUint32(full[0x30:], size)
	if _, err := New(bytes.NewReader(full), int64(len(full))); err != nil {
		t.Fatalf("a compressed description: %v", err)
	}
	for name, data := range map[string][]byte{
		"empty": nil, "text": bytes.Repeat([]byte("not a trace "), 1000), "zeros": make([]byte, 100_000),
		"short": make([]byte, 71), "an empty first buffer": empty,
	} {
		if _, err := New(bytes.NewReader(data), int64(len(data))); !errors.Is(err, ErrNotATrace) {
			t.Errorf("%s: error = %v, want %v", name, err, ErrNotATrace)
		}
	}
}

func TestCompressionIsUndone(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var in []byte
		for range random.IntN(40) {
			switch random.IntN(3) {
			case 0:
				in = append(in, bytes.Repeat([]byte{byte(random.Int())}, random.IntN(600))...)
			case 1:
				from := random.IntN(len(in) + 1)
				in = append(in, in[from:min(len(in), from+random.IntN(90000))]...)
			default:
				in = append(in, byte(random.Int()))
			}
		}
		packed := etltest.Compress(in)
		out, err := unpacked(packed, len(in))
		if err != nil || !bytes.Equal(out, in) {
			t.Fatalf("%d bytes, %v; want %d", len(out), err, len(in))
		}
		if out, _ := unpacked(packed, len(in)/2); !bytes.Equal(out, in[:len(in)/2]) {
			t.Fatalf("the first %d bytes: %d bytes; want them", len(in)/2, len(out))
		}
	}
}

// unpacked returns what packed unpacks to, of which it claims to have size.
func unpacked(packed []byte, size int) ([]byte, error) {
	var u unpacker
	u.reset(iotest.OneByteReader(bytes.NewReader(packed)), size)
	return io.ReadAll(&u)
}

// FuzzReader: no file makes the reader panic, loop or take more memory than
// its limits.
func FuzzReader(f *testing.F) {
	for _, compressed := range []bool{false, true} {
		for _, pointers := range []int{4, 8} {
			tr := etltest.Trace{Compressed: compressed, PointerSize: pointers, BufferSize: 1024, Events: events(12)}
			tr.Events = append(tr.Events, etltest.Event{At: time.Hour, Hook: 0x60D, Data: make([]byte, 40)})
			f.Add(tr.Bytes())
		}
	}
	for _, bomb := range etltest.Bombs() {
		f.Add(bomb.Make(f, 20))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := New(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		n := 0
		var e raw.Event
		for r.Next(&e) {
			if e.PointerSize != 4 && e.PointerSize != 8 {
				t.Fatalf("pointers of %d bytes", e.PointerSize)
			}
			if n++; n > maxBuffer {
				t.Fatal("more records than fit")
			}
		}
		_ = r.Err()
	})
}

// The cycle counter has the frequency of the CPU, which is not that of the
// performance counter, which the description names as well.
func TestCycleCounterHasTheFrequencyOfTheCPU(t *testing.T) {
	tr := etltest.Trace{Clock: etltest.ClockCPU, Frequency: 2_994_000_000, Events: events(50)}
	data := tr.Bytes()
	const perfFrequency = bufferHeader + 32 + 256 // TRACE_LOGFILE_HEADER.PerfFreq
	if got := binary.LittleEndian.Uint64(data[perfFrequency:]); got != tr.Frequency {
		t.Fatalf("frequency %d in the file, want %d", got, tr.Frequency)
	}
	binary.LittleEndian.PutUint64(data[perfFrequency:], 10_000_000)
	_, list := read(t, data)
	for i, e := range list {
		if off := e.Time.Go().Sub(tr.Start.Add(tr.Events[i].At)).Abs(); off > time.Microsecond {
			t.Fatalf("event %d at %v, want %v", i, e.Time.Go(), tr.Start.Add(tr.Events[i].At))
		}
	}
}
