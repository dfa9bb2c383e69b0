package main

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/etwsrc"
	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/sandbox"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/model"
)

var (
	// errSource is matched by errors about what the host lacks.
	errSource = errors.New("cannot trace")
	// errStopped ends a trace for a reason that is not a failure.
	errStopped = errors.New("stopped")
)

// sourceFlags choose how this host is traced.
type sourceFlags struct {
	backend string
	btf     string // a file with the kernel's types; see btfFlag
}

// traceFlags configure a live trace.
type traceFlags struct {
	choice
	sourceFlags
	duration       time.Duration
	count          uint64
	ringSize       uint32
	maxConnections uint32
	commandLine    bool
	// counting: ends with nothing to say are only counted, where the platform can.
	counting bool
	// countingOptional: if the kernel refuses the programs that count, all ends are sent.
	countingOptional bool
	// keep are capabilities that are needed after the start, by number.
	keep []int
	// sandbox says what is given up then, box is what is left, and asked reads the rest.
	sandbox sandbox.Options
	box     *sandbox.Box
	asked   *sandbox.Reader
	// meter, if set, knows what the trace costs.
	meter *meter
	// follow, if set, is the command or process that is traced alone.
	follow *followed
	// family, if set, is that process.
	family uint32
}

func (t *traceFlags) flags(set *pflag.FlagSet) {
	t.choice.flags(set)
	set.StringVar(&t.backend, "backend", "", "force a `BACKEND`: "+strings.Join(backends, ", "))
	t.btfFlag(set)
	set.DurationVarP(&t.duration, "duration", "d", 0, "stop after this `TIME`, e.g. 30s or 10m")
	set.Uint64VarP(&t.count, "count", "c", 0, "stop after this `NUMBER` of teardowns")
	set.Uint32Var(&t.ringSize, "ring-size", 0, "size of the kernel's buffer in `MiB`, a power of two (default 32)")
	set.Uint32Var(&t.maxConnections, "max-connections", 0, "follow at most this `NUMBER` of open connections (default 65536; on Linux more where memory allows)")
	t.sandboxFlags(set)
	set.BoolVar(&t.commandLine, "command-line", false, "record command lines too (they may hold secrets)")
}

// traceGC is the garbage collector's percentage: a trace allocates little, and what it
// keeps, the verdicts of the last ends above all, has no pointers to follow.
const traceGC = 20

// withoutCollector puts garbage collection off, which took a sixth of the start of a trace:
// nearly all that it allocates is in use until its end, and garbage then. The memory
// goes back to the system when collect is called.
func withoutCollector() (collect func()) {
	const most = 48 << 20
	limit := debug.SetMemoryLimit(-1)
	percent := debug.SetGCPercent(-1)
	debug.SetMemoryLimit(min(limit, most))
	return func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
		go debug.FreeOSMemory()
	}
}

// trace is a session that was started by flags.
type trace struct {
	*session.Session
	source model.Source
	filter *model.Filter // all that was asked for
	flags  *traceFlags
}

// open compiles the filter and starts the back end. Privileges that only the
// start needs are dropped.
func (t *traceFlags) open() (*trace, error) {
	filter, err := t.compile()
	if err != nil {
		return nil, err
	}
	unchosen := t.unchosen()
	rest, err := unchosen.compile()
	if err != nil {
		return nil, err
	}
	if t.duration < 0 {
		return nil, usage("--duration %s must be positive, for example 30s", t.duration)
	}
	if _, err := t.openBox(); err != nil {
		return nil, err
	}
	collect := withoutCollector()
	source, err := openSource(t)
	collect()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errSource, err), t.box.Close())
	}
	start := source.Start()
	start.Tool.Version = version()
	start.Filter = t.follow.chosen(filter)
	o := session.Options{Start: start, Rest: rest, Duration: t.duration, Count: t.count, Follow: t.follow.begin}
	if t.follow != nil {
		o.Found = findings.New()
	}
	if t.meter != nil {
		o.Cost = t.meter.now
	}
	s := session.New(source, o)
	if t.meter != nil {
		t.meter.begin(s.Seen)
	}
	return &trace{Session: s, source: source, filter: filter, flags: t}, nil
}

// tell writes what could not be read of a trace that has ended.
func (t *trace) tell(out io.Writer) {
	t.tellFindings(out)
	if source, ok := t.source.(*etwsrc.Session); ok {
		session.ReportUndecoded(out, "live", source)
	}
}

func (t *trace) Close() error {
	t.flags.meter.close()
	return errors.Join(t.source.Close(), t.flags.box.Close())
}

// lacking is a missing privilege or kernel feature.
type lacking struct{ err error }

func (e *lacking) Error() string { return e.err.Error() }
func (e *lacking) Unwrap() error { return e.err }

// Is makes the exit code that of a missing privilege.
func (*lacking) Is(target error) bool { return target == errSource }
