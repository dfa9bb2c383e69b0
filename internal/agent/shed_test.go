package agent

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// TestLimitsOfShedding: five seconds past a limit make it worse, a minute with a fifth to spare better, and what
// lies between changes nothing.
func TestLimitsOfShedding(t *testing.T) {
	const s, limit = time.Second, 1000
	begin := time.Unix(1e9, 0)
	for what, c := range map[string]struct {
		memory int64   // that is used
		busy   float64 // of a processor
		o      Options
		after  time.Duration
		from   int32
		want   int32
	}{
		"past it for five seconds":      {limit + 1, 0, Options{MaxMemory: limit}, 5 * s, 0, 1},
		"for less":                      {limit + 1, 0, Options{MaxMemory: limit}, 5*s - 1, 0, 0},
		"just at it":                    {limit, 0, Options{MaxMemory: limit}, time.Hour, 0, 0},
		"at the last level":             {limit + 1, 0, Options{MaxMemory: limit}, time.Hour, shedProcesses, shedProcesses},
		"a fifth to spare for a minute": {limit*4/5 - 1, 0, Options{MaxMemory: limit}, time.Minute, 2, 1},
		"for less than that":            {limit*4/5 - 1, 0, Options{MaxMemory: limit}, time.Minute - 1, 2, 2},
		"less to spare":                 {limit * 4 / 5, 0, Options{MaxMemory: limit}, time.Hour, 2, 2},
		"nothing to take back":          {0, 0, Options{MaxMemory: limit}, time.Hour, 0, 0},
		"a busy processor":              {0, 1, Options{MaxCPU: 0.5}, 5 * s, 0, 1},
		"less busy":                     {0, 0.45, Options{MaxCPU: 0.5}, 60 * s, 1, 1},
		"a fifth less":                  {0, 0.39, Options{MaxCPU: 0.5}, 60 * s, 1, 0},
		"busy, and there is no limit":   {limit + 1, 1, Options{}, time.Hour, 1, 1},
		"one of two limits":             {limit + 1, 0, Options{MaxMemory: limit, MaxCPU: 0.5}, 5 * s, 0, 1},
		"to spare of one of them":       {0, 0.45, Options{MaxMemory: limit, MaxCPU: 0.5}, time.Hour, 1, 1},
	} {
		var spent time.Duration
		shed := newShedder(&c.o, newMeter(&Options{MaxSeries: 10}))
		shed.usage = func() (int64, time.Duration) { return c.memory, spent }
		shed.level.Store(c.from)
		shed.at, shed.processor = begin.Add(-s), c.busy // for a while
		said := ""
		for _, at := range []time.Duration{0, c.after} {
			spent = time.Duration(float64(at+s) * c.busy)
			said = shed.look(begin.Add(at))
		}
		if got := shed.now(); got != c.want || (said != "") != (c.want != c.from) {
			t.Errorf("%s: level %d, said %q, want %d", what, got, said, c.want)
		}
	}
	shed := newShedder(&Options{MaxCPU: 0.5}, newMeter(&Options{MaxSeries: 10}))
	var spent time.Duration
	shed.usage = func() (int64, time.Duration) { return 0, spent }
	shed.look(begin)
	for i, want := range []float64{0.3, 0.5} { // a third of what is missing each time
		spent += 900 * time.Millisecond
		if shed.look(begin.Add(time.Duration(i+1) * s)); shed.processor < want-0.001 || shed.processor > want+0.001 {
			t.Errorf("after %d s: %v of a processor, want %v", i+1, shed.processor, want)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAnswers: only a receiver of OTLP that calls a request wrong will never take it; of a request
// that it takes it may reject records.
func TestAnswers(t *testing.T) {
	some, err := proto.Marshal(&collogs.ExportLogsServiceResponse{PartialSuccess: &collogs.ExportLogsPartialSuccess{RejectedLogRecords: 3}})
	if err != nil {
		t.Fatal(err)
	}
	const otlp = "application/x-protobuf"
	for what, c := range map[string]struct {
		code     int
		kind     string
		never    bool
		rejected int64
	}{
		"taken, some not":            {200, otlp, false, 3},
		"taken by something else":    {200, "text/html", false, 0},
		"wrong":                      {400, otlp, true, 0},
		"wrong, says something else": {400, "text/plain", false, 0},
		"too busy":                   {503, otlp, false, 0},
	} {
		a := answers{next: roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: c.code, Header: http.Header{"Content-Type": {c.kind}}, Body: io.NopCloser(strings.NewReader(string(some)))}, nil
		})}
		if got, err := a.RoundTrip(nil); err != nil || got.StatusCode != c.code || a.never != c.never || a.rejected != c.rejected {
			t.Errorf("%s: never %v, %d rejected, %v", what, a.never, a.rejected, err)
		} else if err := got.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	broken := errors.New("broken")
	a := answers{next: roundTripper(func(*http.Request) (*http.Response, error) { return nil, broken })}
	if got, err := a.RoundTrip(nil); !errors.Is(err, broken) || a.never {
		t.Errorf("got %v, %v", got, err)
	}
	for code, never := range map[codes.Code]bool{codes.OK: false, codes.InvalidArgument: true, codes.Unavailable: false} {
		var a answers
		reply := new(collogs.ExportLogsServiceResponse)
		err := a.intercept(t.Context(), "", nil, reply, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			reply.PartialSuccess = &collogs.ExportLogsPartialSuccess{RejectedLogRecords: 3}
			return status.Error(code, "x")
		})
		if status.Code(err) != code || a.never != never || (a.rejected == 3) != (code == codes.OK) {
			t.Errorf("%v: never %v, %d rejected, %v", code, a.never, a.rejected, err)
		}
	}
}

// TestFullBatch: by its records or by its bytes.
func TestFullBatch(t *testing.T) {
	for _, c := range []struct {
		count, bytes int
		want         bool
	}{{0, 0, false}, {batchSize - 1, 0, false}, {batchSize, 0, true}, {1, batchBytes - 1, false}, {1, batchBytes, true}} {
		b := batch{count: c.count, lines: make([]byte, c.bytes)}
		if b.full() != c.want {
			t.Errorf("%d records of %d bytes: full %v", c.count, c.bytes, b.full())
		}
	}
	for line, want := range map[string]bool{`{"finding":{}`: true, `{"note":"x"}`: true, `{"names":{}}`: true, `{"kind":"teardown"}`: false, "": false} {
		if got := isExtra([]byte(line)); got != want {
			t.Errorf("%s: an extra line %v", line, got)
		}
	}
}
