package record

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/closetrace/closetrace/model"
)

// CSV writes teardowns, outcomes and failed closes as comma-separated values
// (RFC 4180) with a head line, for spreadsheets. The column names are those of
// a line; what is not known is empty. The other kinds have no row.
type CSV struct {
	w      *csv.Writer
	row    []string
	headed bool
}

// NewCSV returns a CSV that writes to w. Flush ends it.
func NewCSV(w io.Writer) *CSV { return &CSV{w: csv.NewWriter(w)} }

// column is one column: its name and how its value is got.
type column struct {
	name  string
	value func(*model.Record) string
}

var columns = []column{
	{"kind", func(r *model.Record) string { return r.Kind.String() }},
	{"time", func(r *model.Record) string { return r.Teardown.Time.String() }},
	{"time_unix_nano", func(r *model.Record) string { return strconv.FormatInt(int64(r.Teardown.Time), 10) }},
	{"id", func(r *model.Record) string { return r.Teardown.ID }},
	{"verdict", judged(func(t *model.Teardown) string { return t.Verdict.String() })},
	{"cause", judged(func(t *model.Teardown) string { return t.Cause.String() })},
	{"initiator", judged(func(t *model.Teardown) string { return t.Initiator.String() })},
	{"terminator", judged(func(t *model.Teardown) string { return t.Terminator.String() })},
	{"confidence", judged(func(t *model.Teardown) string { return t.Confidence.String() })},
	{"rule", judged(func(t *model.Teardown) string { return t.Rule })},
	{"retracts", func(r *model.Record) string { return ifTrue(r.Retracts) }},
	{"error", func(r *model.Record) string { return r.Error }},
	{"network.local.address", of(func(t *model.Teardown) string { return endpointAddress(t.Network.Local) })},
	{"network.local.port", of(func(t *model.Teardown) string { return nonZero(int(t.Network.Local.Port)) })},
	{"network.peer.address", of(func(t *model.Teardown) string { return endpointAddress(t.Network.Peer) })},
	{"network.peer.port", of(func(t *model.Teardown) string { return nonZero(int(t.Network.Peer.Port)) })},
	{"network.netns", of(func(t *model.Teardown) string { return nonZero(int(t.Network.NetNS)) })},
	{"process.pid", of(func(t *model.Teardown) string { return nonZero(t.Process.PID) })},
	{"process.name", of(func(t *model.Teardown) string { return t.Process.Name })},
	{"process.executable.path", of(func(t *model.Teardown) string { return t.Process.Executable.Path })},
	{"process.user.name", of(func(t *model.Teardown) string { return t.Process.User.Name })},
	{"closer.pid", of(func(t *model.Teardown) string { return nonZero(t.Closer.PID) })},
	{"closer.name", of(func(t *model.Teardown) string { return t.Closer.Name })},
	{"closer.call", of(func(t *model.Teardown) string { return t.Closer.Call.String() })},
	{"container.id", of(func(t *model.Teardown) string { return t.Container.ID })},
	{"k8s.namespace.name", of(func(t *model.Teardown) string { return t.K8s.Namespace.Name })},
	{"k8s.pod.name", of(func(t *model.Teardown) string { return t.K8s.Pod.Name })},
	{"systemd.unit", of(func(t *model.Teardown) string { return t.Systemd.Unit })},
	{"tcp.role", of(func(t *model.Teardown) string { return roleName(t.TCP.Role) })},
	{"tcp.error", of(func(t *model.Teardown) string { return t.TCP.Error })},
	{"tcp.rst.reason", of(func(t *model.Teardown) string { return t.TCP.RST.Reason })},
	{"tcp.bytes.sent", of(func(t *model.Teardown) string { return show(t.TCP.Bytes.Sent) })},
	{"tcp.bytes.received", of(func(t *model.Teardown) string { return show(t.TCP.Bytes.Received) })},
	{"tcp.bytes.unsent", of(func(t *model.Teardown) string { return show(t.TCP.Bytes.Unsent) })},
	{"tcp.bytes.unacked", of(func(t *model.Teardown) string { return show(t.TCP.Bytes.Unacked) })},
	{"tcp.bytes.unread", of(func(t *model.Teardown) string { return show(t.TCP.Bytes.Unread) })},
	{"tcp.retransmits", of(func(t *model.Teardown) string { return show(t.TCP.Retransmits) })},
	{"linger.seconds", of(func(t *model.Teardown) string { return show(t.Linger.Seconds) })},
	{"linger.outcome", of(func(t *model.Teardown) string { return t.Linger.Outcome.String() })},
	{"duration_ns", of(func(t *model.Teardown) string { return nanoseconds(t.Duration) })},
	{"close_blocked_ns", of(func(t *model.Teardown) string { return nanoseconds(t.CloseBlocked) })},
}

// Write writes the row of r, and the head line before the first.
func (c *CSV) Write(r *model.Record) error {
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome, model.KindCloseFailed:
	case model.KindUnknown, model.KindStart, model.KindLoss, model.KindCounters, model.KindStop:
		return nil
	}
	if err := c.head(); err != nil {
		return err
	}
	c.row = c.row[:0]
	for _, column := range columns {
		c.row = append(c.row, harmless(column.value(r)))
	}
	return c.w.Write(c.row)
}

func (c *CSV) head() error {
	if c.headed {
		return nil
	}
	c.headed = true
	names := make([]string, len(columns))
	for i := range columns {
		names[i] = columns[i].name
	}
	return c.w.Write(names)
}

// Flush writes what is left, and the head line if there was no row.
func (c *CSV) Flush() error {
	if err := c.head(); err != nil {
		return err
	}
	c.w.Flush()
	if err := c.w.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// harmless keeps a spreadsheet from taking a name for a formula (OWASP, CSV
// injection), and a name from breaking the row or turning it round.
func harmless(value string) string {
	value = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return '\ufffd'
		}
		return r
	}, value), "\ufffd")
	if value != "" && strings.ContainsRune("=+-@", rune(value[0])) && !isNumber(value) {
		return "'" + value
	}
	return value
}

func isNumber(value string) bool {
	_, err := strconv.ParseInt(value, 10, 64)
	return err == nil && value[0] != '+'
}

func of(value func(*model.Teardown) string) func(*model.Record) string {
	return func(r *model.Record) string { return value(&r.Teardown) }
}

// judged is of, for what a failed close does not have.
func judged(value func(*model.Teardown) string) func(*model.Record) string {
	return func(r *model.Record) string {
		if r.Kind == model.KindCloseFailed {
			return ""
		}
		return value(&r.Teardown)
	}
}

func ifTrue(b bool) string {
	if b {
		return "true"
	}
	return ""
}

func nonZero(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func show[T int | uint32 | uint64](o model.Opt[T]) string {
	if v, known := o.Get(); known {
		return fmt.Sprint(v)
	}
	return ""
}

func nanoseconds(o model.Opt[time.Duration]) string {
	if v, known := o.Get(); known {
		return strconv.FormatInt(int64(v), 10)
	}
	return ""
}

func endpointAddress(e model.Endpoint) string {
	if !e.Address.IsValid() {
		return ""
	}
	return e.Address.String()
}

func roleName(r model.Role) string {
	if r == model.RoleUnknown {
		return ""
	}
	return r.String()
}
