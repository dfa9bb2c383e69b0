package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
)

// exporter makes OpenTelemetry log records of lines and sends them; a metric reader of
// the SDK sends the meter. It is for one goroutine.
type exporter struct {
	out      sdklog.Exporter
	answers  answers
	provider *sdklog.LoggerProvider
	logger   log.Logger
	metrics  *sdkmetric.MeterProvider
	decoder  record.Decoder
	made     made
	list     []attribute.KeyValue
	names    map[string]string // of the next record
}

// made collects the records that the SDK makes of what its logger is told: with the
// resource and the scope, which nothing else can give them.
type made struct{ records []sdklog.Record }

func (m *made) OnEmit(_ context.Context, r *sdklog.Record) error {
	m.records = append(m.records, *r)
	return nil
}

func (*made) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (*made) Shutdown(context.Context) error                         { return nil }
func (*made) ForceFlush(context.Context) error                       { return nil }

const scope = "github.com/closetrace/closetrace"

func newExporter(ctx context.Context, o *Options, m *meter) (_ *exporter, err error) {
	otel.SetErrorHandler(quietly(o.Log))
	where, err := destinationOf(o.Endpoint)
	if err != nil {
		return nil, err
	}
	about, err := resourceOf(ctx, o)
	if err != nil {
		o.Log("detect the resource: %v", err) // what was found is used
	}
	x := &exporter{}
	if x.out, err = where.logs(ctx, &x.answers); err != nil {
		return nil, fmt.Errorf("send to the Collector: %w", err)
	}
	metrics, err := where.metrics(ctx)
	if err != nil {
		return nil, fmt.Errorf("send to the Collector: %w", err)
	}
	x.provider = sdklog.NewLoggerProvider(sdklog.WithResource(about), sdklog.WithProcessor(&x.made), sdklog.WithAllowKeyDuplication(), sdklog.WithAttributeCountLimit(-1))
	x.logger = x.provider.Logger(scope)
	reader := sdkmetric.NewPeriodicReader(metrics, sdkmetric.WithProducer(prometheus.NewMetricProducer(prometheus.WithGatherer(m.registry))))
	x.metrics = sdkmetric.NewMeterProvider(sdkmetric.WithResource(about), sdkmetric.WithReader(reader))
	return x, nil
}

// quietly reports errors of the SDK.
func quietly(say func(string, ...any)) otel.ErrorHandler {
	say = seldom(say)
	return otel.ErrorHandlerFunc(func(err error) { say("OpenTelemetry: %v", err) })
}

// seldom says what has the same format at most once a minute.
func seldom(say func(string, ...any)) func(string, ...any) {
	var mu sync.Mutex
	next := map[string]time.Time{}
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.After(next[format]) {
			next[format] = now.Add(time.Minute)
			say(format, args...)
		}
	}
}

// export sends p, waits for the answer, and returns how many records were not taken for good.
func (x *exporter) export(ctx context.Context, p *parcel) (rejected int, err error) {
	x.made.records, x.answers.rejected, x.answers.never = x.made.records[:0], 0, false
	for line := range bytes.Lines(p.lines) {
		x.emit(ctx, bytes.TrimSuffix(line, []byte("\n")))
	}
	err = x.out.Export(ctx, x.made.records)
	clear(x.made.records)
	return int(min(max(x.answers.rejected, 0), int64(p.count))), err
}

func (x *exporter) emit(ctx context.Context, line []byte) {
	var out log.Record
	x.list = x.list[:0]
	if isExtra(line) {
		var e extra
		if json.Unmarshal(line, &e) != nil {
			return
		}
		if x.names = e.Names; x.names != nil {
			return
		}
		x.extra(&out, &e)
	} else {
		var r model.Record
		if x.decoder.Decode(line, &r) != nil {
			return
		}
		x.record(&out, &r)
		for name, value := range x.names {
			x.list = append(x.list, text(name, value))
		}
		x.names = nil
	}
	out.AddAttributes(x.list...)
	x.logger.Emit(ctx, out)
}

func (x *exporter) record(out *log.Record, r *model.Record) {
	out.SetTimestamp(r.Time().Go())
	out.SetEventName("closetrace.tcp." + r.Kind.String())
	grade(out, log.SeverityInfo, "INFO")
	switch r.Kind {
	case model.KindLoss:
		grade(out, log.SeverityWarn, "WARN")
		out.SetBody(attribute.StringValue(fmt.Sprintf("%d events were lost (%s)", r.Loss.Count, r.Loss.Where)))
		x.list = append(x.list, attribute.String("kind", r.Kind.String()),
			attribute.Int64("count", int64(r.Loss.Count)), text("where", r.Loss.Where))
		return
	case model.KindTeardown, model.KindOutcome:
		if r.Teardown.Verdict != model.Graceful {
			grade(out, log.SeverityWarn, "WARN")
		}
	case model.KindUnknown, model.KindStart, model.KindCloseFailed, model.KindCounters, model.KindClock, model.KindTable, model.KindStray, model.KindCounts, model.KindStop:
	}
	out.SetBody(attribute.StringValue(sentence(r)))
	x.list = attributesOf(x.list, r)
}

func (x *exporter) extra(out *log.Record, e *extra) {
	out.SetTimestamp(e.Time)
	if e.Finding == nil {
		out.SetEventName("closetrace.agent")
		grade(out, log.SeverityWarn, "WARN")
		out.SetBody(attribute.StringValue(e.Note))
		return
	}
	f := e.Finding
	out.SetEventName("closetrace.finding")
	switch f.Harm {
	case findings.Benign, findings.Low:
		grade(out, log.SeverityInfo, "INFO")
	case findings.Medium:
		grade(out, log.SeverityWarn, "WARN")
	case findings.High:
		grade(out, log.SeverityError, "ERROR")
	}
	out.SetBody(attribute.StringValue(strings.ToValidUTF8(f.Title, "\ufffd")))
	x.list = append(x.list, text("finding.id", f.ID), text("finding.harm", f.Harm.String()), text("finding.confidence", f.Confidence.String()),
		attribute.Int64("finding.count", int64(f.Count)), attribute.Float64("finding.share", f.Share),
		text("finding.first_time", f.First.String()), text("finding.last_time", f.Last.String()), attribute.Bool("finding.ongoing", f.Ongoing),
		text("finding.process", f.Process), text("finding.peer", f.Peer), text("finding.advice", f.Advice), text("finding.filter", f.Filter),
		attribute.StringSlice("finding.evidence", f.Evidence))
	for name, n := range f.Numbers {
		x.list = append(x.list, attribute.Int64("finding.numbers."+name, n))
	}
}

// sentence is the text of a record: what, who, where.
func sentence(r *model.Record) string {
	t := &r.Teardown
	what := r.Kind.String()
	if r.Kind == model.KindTeardown || r.Kind == model.KindOutcome {
		what = t.Verdict.String() + " " + t.Cause.String()
	}
	return fmt.Sprintf("%s: %s %s > %s", what, human.Process(t.Process.Name, t.Process.PID),
		human.Endpoint(t.Network.Local), human.Endpoint(t.Network.Peer))
}

func grade(out *log.Record, level log.Severity, name string) {
	out.SetSeverity(level)
	out.SetSeverityText(name)
}

// text makes an attribute of a string of the system, which OTLP wants to be UTF-8.
func text(key, value string) attribute.KeyValue {
	return attribute.String(key, strings.ToValidUTF8(value, "\ufffd"))
}

func (x *exporter) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastTry)
	defer cancel()
	_ = x.metrics.Shutdown(ctx) // its last export may fail: the Collector is away
	err := errors.Join(x.out.Shutdown(ctx), x.provider.Shutdown(ctx))
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}
