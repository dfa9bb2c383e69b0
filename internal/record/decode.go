package record

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Decoder reads lines. It keeps strings that come again and again, so that
// records share them. The zero Decoder is ready; it is for one goroutine.
type Decoder struct {
	scanner
	seen [512]string
	// unknown is the first name that is not in this version's vocabulary.
	unknown string
	// What the current line says of itself, whatever the order of its members.
	kind, schema string
	unixNano     string
	when         model.Time

	state model.State // of the path; here because a local would be allocated
}

// maxMembers bounds what one line can make a record hold of a list; a line
// that closetrace wrote stays far below.
const maxMembers = 256

// Errors of a line. A line of a newer minor version has neither.
var (
	// ErrNewer means that a line is of a newer major version of the format.
	// Its members may mean something else, so reading on would lie.
	ErrNewer = errors.New("a newer version of closetrace wrote this recording")
	// ErrKind means that the line is of a kind that this version does not know.
	ErrKind = errors.New("unknown kind")
)

// Decode reads one line into r and overwrites all of it. Members that are not
// known are passed over. Names of the vocabulary that are not known are read
// as unknown; [Decoder.Unknown] tells the first one.
//
// The errors say what is wrong with the line: [ErrNewer], [ErrKind], or that it
// isn't a line of a recording. r is then of [model.KindUnknown].
func (d *Decoder) Decode(line []byte, r *model.Record) error {
	*r = model.Record{}
	d.reset(line)
	d.unknown, d.kind, d.schema, d.unixNano, d.when = "", "", "", "", 0
	if d.peek() != '{' {
		d.fail("want {")
	}
	if d.syntax == "" {
		d.record(r)
	}
	if d.syntax == "" && d.peek() != 0 || d.pos < len(d.data) {
		d.fail("text after the object")
	}
	err := d.finish(r)
	if err != nil {
		*r = model.Record{}
	}
	return err
}

// Unknown returns the first name in the last line, with its member, that is
// not in this version's vocabulary, or "".
func (d *Decoder) Unknown() string { return d.unknown }

// finish checks what the line says of itself and moves its time to where the
// record's kind has it.
func (d *Decoder) finish(r *model.Record) error {
	if d.syntax != "" {
		return fmt.Errorf("not JSON: %s", d.syntax)
	}
	if err := checkSchema(d.schema); err != nil {
		return err
	}
	if d.kind == "" {
		return errors.New("no kind")
	}
	if err := r.Kind.UnmarshalText([]byte(d.kind)); err != nil || r.Kind == model.KindUnknown {
		return fmt.Errorf("%w %.40q", ErrKind, d.kind)
	}
	if d.mistype != "" {
		return fmt.Errorf("wrong type: %s", d.mistype)
	}
	if d.unixNano != "" {
		n, err := strconv.ParseInt(d.unixNano, 10, 64)
		if err != nil {
			return errors.New("wrong type: time_unix_nano: want a string of digits")
		}
		d.when = model.Time(n)
	}
	d.place(r)
	return nil
}

// checkSchema accepts version 1 and its minor extensions.
func checkSchema(schema string) error {
	name, version, found := strings.Cut(schema, "/")
	switch major, _, _ := strings.Cut(version, "."); {
	case schema == model.Schema, name == "closetrace" && major == "1":
		return nil
	case schema == "":
		return errors.New("no schema: not a line of a recording")
	case found && name == "closetrace":
		return fmt.Errorf("%w: schema %.40q, and this version reads %q; use that newer version", ErrNewer, schema, model.Schema)
	default:
		return fmt.Errorf("schema %.40q is not of closetrace", schema)
	}
}

// place keeps what the kind has, and fills in what depends on it or follows
// from other members.
func (d *Decoder) place(r *model.Record) {
	switch r.Kind {
	case model.KindStart:
		*r = model.Record{Kind: r.Kind, Start: r.Start}
		r.Start.Time = d.when
		return
	case model.KindStop:
		*r = model.Record{Kind: r.Kind, Stop: r.Stop}
		r.Stop.Time = d.when
		if r.Stop.Teardowns == nil {
			r.Stop.Teardowns = map[string]uint64{}
		}
		return
	case model.KindLoss:
		*r = model.Record{Kind: r.Kind, Loss: r.Loss}
		r.Loss.Time = d.when
		return
	case model.KindCounters:
		r.Counters.Time, r.Counters.Network = d.when, r.Teardown.Network
		*r = model.Record{Kind: r.Kind, Counters: r.Counters}
		if r.Counters.Counts == nil {
			r.Counters.Counts = map[string]uint64{}
		}
		return
	case model.KindTeardown, model.KindOutcome:
		r.Teardown.LingerOutcome = r.Teardown.Linger.Outcome
		r.Retracts = r.Retracts && r.Kind == model.KindOutcome
		r.Error = ""
	case model.KindCloseFailed, model.KindUnknown:
		r.Teardown.Judgement, r.Retracts = model.Judgement{}, false
	}
	r.Start, r.Stop, r.Loss, r.Counters = model.Start{}, model.Stop{}, model.Loss{}, model.Counters{}
	r.Teardown.Time = d.when
	exactStart(&r.Teardown)
}

// exactStart restores what a line leaves out of its start time, which is in
// microseconds, from the end and the duration, which are exact: a replay is
// then what the live view was.
func exactStart(t *model.Teardown) {
	life, known := t.Duration.Get()
	if !known || t.StartTime == 0 {
		return
	}
	if exact := t.Time.Add(-life); exact-t.StartTime >= 0 && exact.Sub(t.StartTime) < time.Microsecond {
		t.StartTime = exact
	}
}

// record reads the members of all kinds: their names do not clash, and kind
// need not come first (jq -S sorts them).
func (d *Decoder) record(r *model.Record) {
	for key, ok := d.enter(); ok; key, ok = d.next() {
		d.member = ""
		switch string(key) {
		case "kind":
			d.str("kind", &d.kind)
		case "schema":
			d.str("schema", &d.schema)
		case "time":
			d.time("time", &d.when)
		case "time_unix_nano":
			d.str("time_unix_nano", &d.unixNano)
		case "error":
			d.str("error", &r.Error)
		case "count":
			d.uint64("count", &r.Loss.Count)
		case "where":
			d.str("where", &r.Loss.Where)
		case "tool", "host", "os", "backend", "filter", "boot_id":
			d.start(string(key), &r.Start)
		case "teardowns", "lost", "reason":
			d.stop(string(key), &r.Stop)
		case "interval_ns":
			signed(d, "interval_ns", &r.Counters.Interval, math.MinInt64, math.MaxInt64)
		case "counts":
			d.counts("counts", &r.Counters.Counts)
		case "retracts":
			d.bool("retracts", &r.Retracts)
		default:
			d.teardown(key, &r.Teardown)
		}
	}
}

func (d *Decoder) start(key string, s *model.Start) {
	switch key {
	case "backend":
		d.str(key, &s.Backend)
	case "filter":
		d.str(key, &s.Filter)
	case "boot_id":
		d.str(key, &s.BootID)
	default:
		d.member = key
		for member, ok := d.enter(); ok; member, ok = d.next() {
			switch key + "." + string(member) {
			case "tool.version":
				d.str("tool.version", &s.Tool.Version)
			case "host.name":
				d.str("host.name", &s.Host.Name)
			case "os.type":
				d.str("os.type", &s.OS.Type)
			case "os.version":
				d.str("os.version", &s.OS.Version)
			default:
				d.skip(0)
			}
		}
	}
}

func (d *Decoder) stop(key string, s *model.Stop) {
	switch key {
	case "lost":
		d.uint64(key, &s.Lost)
	case "reason":
		d.str(key, &s.Reason)
	default:
		d.counts("teardowns", &s.Teardowns)
	}
}

// counts reads an object of numbers.
func (d *Decoder) counts(member string, to *map[string]uint64) {
	d.member = member
	*to = map[string]uint64{}
	for key, ok := d.enter(); ok; key, ok = d.next() {
		var n uint64
		name := string(key)
		d.uint64(member, &n)
		if len(*to) < maxMembers {
			(*to)[name] = n
		}
	}
}

// teardown reads a member of a teardown, outcome or close-failed line.
func (d *Decoder) teardown(key []byte, t *model.Teardown) {
	switch string(key) {
	case "id":
		d.str("id", &t.ID)
	case "verdict":
		d.name("verdict", &t.Verdict)
	case "cause":
		d.name("cause", &t.Cause)
	case "initiator":
		d.name("initiator", &t.Initiator)
	case "terminator":
		d.name("terminator", &t.Terminator)
	case "confidence":
		d.name("confidence", &t.Confidence)
	case "confidence_reason":
		d.str("confidence_reason", &t.ConfidenceReason)
	case "rule":
		d.str("rule", &t.Rule)
	case "close_blocked_ns":
		optional(d, "close_blocked_ns", &t.CloseBlocked, math.MinInt64, math.MaxInt64)
	default:
		d.facts(key, &t.Facts)
	}
}

// intern returns b as a string, from the store if it was there. Two strings
// with the same place in the store push each other out: its size is fixed
// whatever a file holds.
func (d *Decoder) intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > 64 {
		return string(b)
	}
	slot := &d.seen[maphash.Bytes(seed, b)%uint64(len(d.seen))]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}

// seed is that of the table of strings.
var seed = maphash.MakeSeed()
