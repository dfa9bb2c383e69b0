package record

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// sample is a teardown with about everything that a line of a busy server has.
func sample() model.Record {
	f := model.Facts{
		Time: 1795195380123456789, ID: "7f3a-1c",
		Network: model.Network{
			Local: model.Endpoint{Address: netip.MustParseAddr("10.0.0.5"), Port: 443},
			Peer:  model.Endpoint{Address: netip.MustParseAddr("10.0.0.9"), Port: 51034}, NetNS: 4026531840,
		},
		Process: model.Process{
			PID: 812, StartTime: 1795190000000000000, Name: "nginx", Executable: model.Executable{Path: "/usr/sbin/nginx"},
			User: model.User{ID: model.Some[uint32](33), Name: "www-data"}, Source: model.OwnerAccept,
		},
		Closer:    model.Closer{PID: 812, TID: 812, Name: "nginx", Call: model.CallClose},
		Container: model.Container{ID: strings.Repeat("0123456789abcdef", 4), Runtime: "containerd"},
		K8s:       model.K8s{Pod: model.Pod{UID: "0f7a6f3e-3c0e-4a0c-9d6e-2d3c1b0a9f8e", Name: "web-0"}},
		Cgroup:    model.Cgroup{Path: "/system.slice/nginx.service"}, Systemd: model.Systemd{Unit: "nginx.service"},
		TCP: model.TCP{
			Role: model.Passive, Path: model.PathOf(model.Established, model.Closed),
			FIN:   model.FIN{Sent: model.Some(false), Received: model.Some(false)},
			RST:   model.RST{Sent: model.Some(true), Received: model.Some(false), Reason: "TCP_ABORT_ON_CLOSE"},
			Bytes: model.Bytes{Sent: model.Some[uint64](1234), Received: model.Some[uint64](99), Unsent: model.Some[uint64](0), Unacked: model.Some[uint64](0), Unread: model.Some[uint64](512)}, Retransmits: model.Some[uint32](0),
			SRTT: model.Some(182 * time.Microsecond), TimeWait: model.Some(false), Loopback: true,
		},
		Linger:    model.Linger{On: model.Some(true), Seconds: model.Some(5)},
		StartTime: 1795195380042222222, Duration: model.Some(81234567 * time.Nanosecond),
		Evidence: model.Evidence{
			Owned: model.Some(true), Dead: model.Some(false), Descriptor: model.HolderClosing, Shutdown: model.Some[uint8](3),
			RSTSentBefore: true, Keepalive: model.Some(false), UserTimeout: model.Some(time.Duration(0)), Linger2: model.Some[int32](0),
		},
	}
	return model.Record{Kind: model.KindTeardown, Teardown: model.Judge(f)}
}

func TestRoundTrip(t *testing.T) {
	r := random{rand.New(rand.NewPCG(7, 8))}
	var d Decoder
	for i := range 5000 {
		want := r.record()
		line := Append(nil, &want)
		var got model.Record
		if err := d.Decode(line, &got); err != nil {
			t.Fatalf("record %d: %v\n%s", i, err, line)
		}
		if d.Unknown() != "" {
			t.Fatalf("record %d: unknown %s", i, d.Unknown())
		}
		// A duration that reaches back to within a microsecond makes the start
		// exact; random ones never do, TestStartTimeIsExact has one that does.
		if want = cleaned(want); !reflect.DeepEqual(got, want) {
			t.Fatalf("record %d: %s\n%s", i, difference(got, want), line)
		}
	}
}

// TestDecodeAgreesWithEncodingJSON reads lines of either encoder with either
// decoder.
func TestDecodeAgreesWithEncodingJSON(t *testing.T) {
	r := random{rand.New(rand.NewPCG(9, 10))}
	var d Decoder
	for i := range 3000 {
		rec := r.record()
		if rec.Kind != model.KindTeardown && rec.Kind != model.KindOutcome {
			continue
		}
		for _, line := range [][]byte{standardLine(t, &rec), Append(nil, &rec)} {
			var want teardownLine
			if err := json.Unmarshal(line, &want); err != nil {
				t.Fatal(err)
			}
			var got model.Record
			if err := d.Decode(line, &got); err != nil {
				t.Fatalf("record %d: %v\n%s", i, err, line)
			}
			got.Teardown.Time = 0
			whole := want.whole()
			restoreUsual(line, &whole.Facts)
			if !reflect.DeepEqual(got.Teardown, whole) || got.Retracts != want.Retracts || got.Kind != want.Kind {
				t.Fatalf("record %d: %s\n%s", i, difference(got.Teardown, whole), line)
			}
		}
	}
}

func TestStartTimeIsExact(t *testing.T) {
	want := sample()
	var got model.Record
	if err := new(Decoder).Decode(Append(nil, &want), &got); err != nil {
		t.Fatal(err)
	}
	if got.Teardown.StartTime != want.Teardown.StartTime {
		t.Errorf("got %d, want %d", got.Teardown.StartTime, want.Teardown.StartTime)
	}
}

func TestDecodeTolerates(t *testing.T) {
	const base = `"schema":"closetrace/1","time":"2026-11-20T17:23:00.123456Z"`
	tests := map[string]struct {
		line  string
		check func(*model.Record) bool
	}{
		"no fingerprint":        {`{"kind":"teardown",` + base + `,"tcp":{"fingerprint":"0123"}}`, func(r *model.Record) bool { return r.Teardown.TCP.Fingerprint == 0 }},
		"a fingerprint":         {`{"kind":"teardown",` + base + `,"tcp":{"fingerprint":"00000001fffffffe"}}`, func(r *model.Record) bool { return r.Teardown.TCP.Fingerprint == model.NewFingerprint(0xfffffffe, 1) }},
		"kind last":             {`{` + base + `,"kind":"loss"}`, func(r *model.Record) bool { return r.Kind == model.KindLoss }},
		"a minor version":       {`{"kind":"loss","schema":"closetrace/1.7"}`, func(r *model.Record) bool { return r.Kind == model.KindLoss }},
		"white space":           {" { \"kind\" :\t\"loss\" , " + base + ",\"count\": 7 } \r\n", func(r *model.Record) bool { return r.Loss.Count == 7 }},
		"an escaped name":       {`{"\u006bind":"lo\u0073s",` + base + `}`, func(r *model.Record) bool { return r.Kind == model.KindLoss }},
		"an exponent":           {`{"kind":"loss",` + base + `,"count":1.5e3}`, func(r *model.Record) bool { return r.Loss.Count == 1500 }},
		"null":                  {`{"kind":"loss",` + base + `,"count":null,"where":null}`, func(r *model.Record) bool { return r.Loss.Count == 0 }},
		"an unknown member":     {`{"kind":"loss",` + base + `,"new":{"a":[1,{"b":null}],"c":"\ud83d\ude00"},"count":3}`, func(r *model.Record) bool { return r.Loss.Count == 3 }},
		"a surrogate pair":      {`{"kind":"loss",` + base + `,"where":"\ud83d\ude00"}`, func(r *model.Record) bool { return r.Loss.Where == "😀" }},
		"half a surrogate pair": {`{"kind":"loss",` + base + `,"where":"\ud83dx"}`, func(r *model.Record) bool { return r.Loss.Where == "\ufffdx" }},
		"bytes not UTF-8":       {"{\"kind\":\"loss\"," + base + ",\"where\":\"a\xffb\"}", func(r *model.Record) bool { return r.Loss.Where == "a\ufffdb" }},
		"a time without nano":   {`{"kind":"loss",` + base + `}`, func(r *model.Record) bool { return r.Loss.Time == 1795195380123456000 }},
		"another time layout":   {`{"kind":"loss","schema":"closetrace/1","time":"2026-11-20T18:23:00.123456789+01:00"}`, func(r *model.Record) bool { return r.Loss.Time == 1795195380123456789 }},
		"a mapped address":      {`{"kind":"teardown",` + base + `,"network":{"peer":{"address":"::ffff:1.2.3.4"}}}`, func(r *model.Record) bool { return r.Teardown.Network.Peer.Address == netip.MustParseAddr("1.2.3.4") }},
		"a new cause":           {`{"kind":"teardown",` + base + `,"cause":"quantum","rule":"x"}`, func(r *model.Record) bool { return r.Teardown.Rule == "x" && r.Teardown.Cause == model.CauseUnknown }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var r model.Record
			if err := new(Decoder).Decode([]byte(test.line), &r); err != nil || !test.check(&r) {
				t.Errorf("got %+v, %v", r, err)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	const base = `"kind":"loss","schema":"closetrace/1"`
	deep := strings.Repeat("[", 1000) + strings.Repeat("]", 1000)
	tests := map[string]struct{ line, want string }{
		"nothing":              {"", "not JSON: want { at byte 1 of the line"},
		"text":                 {"hello", "not JSON: want { at byte 1 of the line"},
		"a cut line":           {`{` + base + `,"whe`, "not JSON: string without end at byte 41 of the line"},
		"two lines in one":     {`{` + base + `,"wh{` + base + `}`, "not JSON: want : at byte"},
		"text after the end":   {`{` + base + `} x`, "not JSON: text after the object"},
		"zero bytes":           {"\x00\x00\x00", "not JSON: want { at byte 1 of the line"},
		"a raw control":        {"{" + base + ",\"where\":\"a\nb\"}", "not JSON: control character in a string"},
		"a bad escape":         {`{` + base + `,"where":"\x"}`, "not JSON: unknown escape"},
		"a bad \\u":            {`{` + base + `,"where":"\u12g4"}`, "not JSON: bad \\u escape"},
		"a bad number":         {`{` + base + `,"n":01}`, "not JSON: bad number"},
		"a bad literal":        {`{` + base + `,"n":tru}`, "not JSON: want true"},
		"too deep":             {`{` + base + `,"n":` + deep + `}`, "not JSON: nested too deep"},
		"another object":       {`{"msg":"hello"}`, "no schema: not a line of a recording"},
		"another schema":       {`{"kind":"loss","schema":"retis/1"}`, `schema "retis/1" is not of closetrace`},
		"no kind":              {`{"schema":"closetrace/1"}`, "no kind"},
		"a number for a name":  {`{` + base + `,"where":7}`, "wrong type: where: want a string"},
		"too large a number":   {`{` + base + `,"count":99999999999999999999999}`, "wrong type: count: want an integer in range"},
		"a negative count":     {`{` + base + `,"count":-1}`, "wrong type: count: want an integer in range"},
		"a fraction":           {`{` + base + `,"count":1.5}`, "wrong type: count: want an integer in range"},
		"a port out of range":  {`{"kind":"teardown","schema":"closetrace/1","network":{"local":{"port":65536}}}`, "wrong type: network.local.port: want an integer in range"},
		"a bad address":        {`{"kind":"teardown","schema":"closetrace/1","network":{"local":{"address":"1.2.3"}}}`, "wrong type: network.local.address: want an address"},
		"a bad time":           {`{` + base + `,"time":"yesterday"}`, "wrong type: time: want an RFC 3339 time"},
		"a bad unix time":      {`{` + base + `,"time_unix_nano":"x"}`, "wrong type: time_unix_nano: want a string of digits"},
		"a date out of range":  {`{` + base + `,"time":"2026-02-30T00:00:00.000000Z"}`, "wrong type: time: want an RFC 3339 time"},
		"a list for an object": {`{"kind":"teardown","schema":"closetrace/1","tcp":[]}`, "wrong type: tcp: want an object"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var r model.Record
			err := new(Decoder).Decode([]byte(test.line), &r)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if !reflect.DeepEqual(r, model.Record{}) {
				t.Errorf("got a record in spite of the error: %+v", r)
			}
		})
	}
}

func TestDecodeKindsAndVersionsToCome(t *testing.T) {
	var r model.Record
	err := new(Decoder).Decode([]byte(`{"kind":"aurora","schema":"closetrace/1","count":"many"}`), &r)
	if !errors.Is(err, ErrKind) {
		t.Errorf("unknown kind: got %v, want ErrKind", err)
	}
	err = new(Decoder).Decode([]byte(`{"kind":7,"schema":"closetrace/2"}`), &r)
	if !errors.Is(err, ErrNewer) {
		t.Errorf("schema closetrace/2: got %v, want ErrNewer", err)
	}
}

func BenchmarkAppend(b *testing.B) {
	rec := sample()
	line := Append(nil, &rec)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		line = Append(line[:0], &rec)
	}
}

func BenchmarkDecode(b *testing.B) {
	rec := sample()
	line := Append(nil, &rec)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var d Decoder
	var r model.Record
	for b.Loop() {
		if err := d.Decode(line, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeWithEncodingJSON(b *testing.B) {
	rec := sample()
	line := Append(nil, &rec)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		var l teardownLine
		if err := json.Unmarshal(line, &l); err != nil {
			b.Fatal(err)
		}
	}
}
