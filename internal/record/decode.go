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

// Decoder reads lines. It keeps repeated strings, so that records share them. The zero
// Decoder is ready to use, by one goroutine.
type Decoder struct {
	scanner
	seen [512]string
	// unknown is the first name that is not in this version's vocabulary.
	unknown string
	// What the current line says of itself, whatever the order of its members.
	kind, schema string
	unixNano     string
	when         model.Time

	judged judged
	usual  bool        // what is absent and has a usual value is known
	state  model.State // of the path; here because a local would be allocated
}

// maxMembers bounds what one line can make a record hold of a list; a line
// that closetrace wrote stays far below.
const maxMembers = 256

// Errors of a line. A line of a newer minor version has neither.
var (
	// ErrNewer means that a line is of a newer major version of the format. Its members
	// may mean something else, so that reading on could give wrong records.
	ErrNewer = errors.New("a newer version of closetrace wrote this recording")
	// ErrKind means that the line is of a kind that this version does not know.
	ErrKind = errors.New("unknown kind")
)

// Decode reads one line into r and overwrites all of it. Unknown members are skipped.
// Unknown names of the vocabulary are read as unknown; [Decoder.Unknown] returns the
// first one.
//
// The errors say what is wrong with the line: [ErrNewer], [ErrKind], or that it
// isn't a line of a recording. r is then of [model.KindUnknown].
func (d *Decoder) Decode(line []byte, r *model.Record) error {
	*r = model.Record{}
	d.reset(line)
	d.unknown, d.kind, d.schema, d.unixNano, d.when = "", "", "", "", 0
	d.judged, d.usual = judged{}, false
	if d.peek() != '{' {
		d.fail("want {")
	}
	if d.syntax == "" {
		d.findKind(r)
		d.line(r)
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
	if r.Kind == model.KindUnknown {
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

// findKind looks for the member kind, which says what the others are. It is the
// first, unless another program sorted them.
func (d *Decoder) findKind(r *model.Record) {
	begin := d.pos
	for key, ok := d.enter(); ok && d.kind == ""; key, ok = d.next() {
		if string(key) == "kind" {
			d.str("kind", &d.kind)
		} else {
			d.skip(0)
		}
	}
	if d.syntax == "" {
		d.pos = begin
	}
	if r.Kind.UnmarshalText([]byte(d.kind)) != nil {
		r.Kind = model.KindUnknown
	}
}

// place fills in what the kind of the line implies, or follows from members.
func (d *Decoder) place(r *model.Record) {
	setTime(r, d.when)
	keepOwn(r)
	if d.usual {
		assumeUsual(&r.Teardown.Facts)
	}
	if r.Kind != model.KindTeardown && r.Kind != model.KindOutcome {
		r.Teardown.Judgement = model.Judgement{}
	}
	d.judged.into(&r.Teardown.Judgement) // written with the facts, so of every kind
	exactStart(&r.Teardown)
}

func assume[T comparable](o *model.Opt[T], usual T) {
	if !o.Known() {
		*o = model.Some(usual)
	}
}

// exactStart restores the nanoseconds that a line leaves out of its start time, from the
// end and the duration, which are exact, so that a replay equals the live view.
func exactStart(t *model.Teardown) {
	life, known := t.Duration.Get()
	if !known || t.StartTime == 0 {
		return
	}
	if exact := t.Time.Add(-life); exact-t.StartTime >= 0 && exact.Sub(t.StartTime) < time.Microsecond {
		t.StartTime = exact
	}
}

// counts reads an object of numbers.
func (d *Decoder) counts(member string, to *map[string]uint64) {
	d.member = member
	if *to == nil {
		*to = map[string]uint64{}
	}
	for key, ok := d.enter(); ok; key, ok = d.next() {
		var n uint64
		name := string(key)
		signed(d, member, &n, 0, math.MaxUint64)
		if len(*to) < maxMembers {
			(*to)[name] = n
		}
	}
}

// intern returns b as a string, from the store if it was there. Two strings with the same
// place in the store replace each other: its size is fixed whatever a file holds.
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
