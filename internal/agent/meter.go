package agent

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// other is the label of everything beyond the bound.
const other = "other"

// Reasons why a record was not sent, as labels.
const (
	byRate     = "rate"     // more than the token bucket lets through
	byShedding = "shedding" // above --max-memory or --max-cpu
)

// Reasons why a record was lost.
const (
	lostQueue   = "queue"   // no room in memory, and there is no spool
	lostSpool   = "spool"   // the spool was full: the oldest are dropped
	lostDisk    = "disk"    // the spool could not be written or read
	lostRefused = "refused" // the Collector takes others and not these
	lostEnd     = "end"     // not sent when the agent ended, and there is no spool
)

// meter is all metrics.
type meter struct {
	registry *prometheus.Registry
	ended    *prometheus.CounterVec
	amended  *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	blocked  *prometheus.HistogramVec
	idle     *prometheus.HistogramVec
	missed   *prometheus.CounterVec
	stray    *prometheus.CounterVec
	findings *prometheus.CounterVec
	tcp      *prometheus.CounterVec
	offered  prometheus.Counter
	exported prometheus.Counter
	waiting  prometheus.Gauge
	spooled  prometheus.Gauge
	shed     prometheus.Gauge

	suppressed map[string]prometheus.Counter
	lost       map[string]prometheus.Counter

	bound     int // of series
	series    map[seriesKey]prometheus.Counter
	processes map[string]*processSeries
	owed      map[prometheus.Counter]uint64 // ends that were counted twice: taken off the next
}

// seriesKey is what ends are counted by.
type seriesKey struct {
	verdict model.Verdict
	cause   model.Cause
	role    model.Role
	port    uint16
	process string
}

type processSeries struct{ unread, unacked prometheus.Counter }

// The bounds of histograms, in seconds.
var (
	blockedBuckets = []float64{.001, .01, .1, .5, 1, 2, 5, 10, 30, 60}
	idleBuckets    = []float64{.001, .01, .1, .5, 1, 2, 5, 10, 15, 30, 60, 75, 120, 300, 600, 3600}
)

func newMeter(o *Options) *meter {
	m := &meter{
		registry: prometheus.NewRegistry(), bound: o.MaxSeries,
		series: map[seriesKey]prometheus.Counter{}, processes: map[string]*processSeries{}, owed: map[prometheus.Counter]uint64{},
		ended:    counters("connections_ended_total", "Connection ends by verdict, cause, role, process and port of the listener.", "verdict", "cause", "role", "process", "port"),
		amended:  counters("connections_amended_total", "Ends whose verdict or cause a later outcome changed, by the new one.", "verdict", "cause"),
		bytes:    counters("lost_bytes_total", "Bytes that connections lost: unacked ones were sent, unread ones received.", "direction", "process"),
		blocked:  histogram("close_blocked_seconds", "How long close() waited because of SO_LINGER.", blockedBuckets),
		idle:     histogram("idle_before_close_seconds", "Age of the last data when the connection began to end.", idleBuckets),
		missed:   counters("missed_events_total", "Events that the trace lost.", "where"),
		stray:    counters("stray_resets_total", "Resets that this host sent for connections that it does not have.", "why"),
		findings: counters("finding_connections_total", "Connections that a finding is about.", "finding", "harm"),
		tcp:      counters("tcp_events_total", "What TCP counted in network namespaces where connections end, by nstat's name.", "name"),
		offered:  counter("log_records_total", "Records that were to be sent."),
		waiting:  gauge("log_records_waiting", "Records that wait, in memory and in the spool."),
		spooled:  gauge("spool_bytes", "What is in the spool."),
		exported: counter("log_records_exported_total", "Records that the Collector accepted."),
		shed:     gauge("shed_level", "What is not done because of --max-memory or --max-cpu: 1 events, 2 findings too, 3 processes too."),

		suppressed: map[string]prometheus.Counter{}, lost: map[string]prometheus.Counter{},
	}
	suppressed := counters("log_records_suppressed_total", "Records that were not sent, by reason: rate or shedding.", "reason")
	for _, reason := range []string{byRate, byShedding} {
		m.suppressed[reason] = suppressed.WithLabelValues(reason)
	}
	lost := counters("log_records_lost_total", "Records that were to be sent and could not be, by reason.", "reason")
	for _, reason := range []string{lostQueue, lostSpool, lostDisk, lostRefused, lostEnd} {
		m.lost[reason] = lost.WithLabelValues(reason)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "closetrace_build_info", Help: "Always 1.",
		ConstLabels: prometheus.Labels{"version": o.Start.Tool.Version, "backend": o.Start.Backend},
	})
	build.Set(1)
	m.registry.MustRegister(m.ended, m.amended, m.bytes, m.blocked, m.idle, m.missed, m.stray, m.findings, m.tcp,
		m.offered, m.exported, m.waiting, m.spooled, m.shed, suppressed, lost, build,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &host{o: o})
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "closetrace_" + name, Help: help}, labels)
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "closetrace_" + name, Help: help})
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: "closetrace_" + name, Help: help})
}

func histogram(name, help string, buckets []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "closetrace_" + name, Help: help, Buckets: buckets}, []string{"verdict"})
}

// record counts r. Without detail the process and the port are [other].
func (m *meter) record(r *model.Record, isNew, detail bool) {
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome:
		if isNew {
			m.end(&r.Teardown, detail)
		} else if r.Overrules() {
			m.amended.WithLabelValues(r.Teardown.Verdict.String(), r.Teardown.Cause.String()).Inc()
		}
	case model.KindLoss:
		m.missed.WithLabelValues(label(r.Loss.Where)).Add(float64(r.Loss.Count))
	case model.KindStray:
		m.stray.WithLabelValues(r.Stray.Why.String()).Add(float64(r.Stray.Count))
	case model.KindCounters:
		for name, n := range r.Counters.Counts { // names of the tracer's own list
			m.tcp.WithLabelValues(name).Add(float64(n))
		}
	case model.KindCounts:
		m.counts(r, detail)
	case model.KindUnknown, model.KindStart, model.KindCloseFailed, model.KindClock, model.KindTable, model.KindStop:
	}
}

func (m *meter) end(t *model.Teardown, detail bool) {
	process := t.Process.Name
	if !detail {
		process = other
	}
	m.seriesOf(t, process).Inc()
	unread, _ := t.TCP.Bytes.Unread.Get()
	unacked, _ := t.TCP.Bytes.Unacked.Get()
	if unread+unacked > 0 && t.Verdict != model.Graceful {
		p := m.processOf(process)
		p.unread.Add(float64(unread))
		p.unacked.Add(float64(unacked))
	}
	if d, known := t.CloseBlocked.Get(); known {
		m.blocked.WithLabelValues(t.Verdict.String()).Observe(d.Seconds())
	}
	if d, known := t.TCP.Idle.Get(); known {
		m.idle.WithLabelValues(t.Verdict.String()).Observe(d.Seconds())
	}
}

// counts counts ends that the kernel has only counted. One that has a record of its own
// since is counted by that, too: a counter can't go back, so that it waits for the next ones.
func (m *meter) counts(r *model.Record, detail bool) {
	t := &model.Teardown{Facts: r.Teardown.Facts, Judgement: model.Judgement{Verdict: model.Graceful, Cause: model.CauseFIN}}
	process := t.Process.Name
	if !detail {
		process = other
	}
	s := m.seriesOf(t, process)
	owed := m.owed[s] + r.Counted.TakenBack
	back := min(r.Counted.Ends, owed)
	s.Add(float64(r.Counted.Ends - back))
	if m.owed[s] = owed - back; m.owed[s] == 0 {
		delete(m.owed, s)
	}
}

// seriesOf returns the series of an end; beyond the bound that of all others.
func (m *meter) seriesOf(t *model.Teardown, process string) prometheus.Counter {
	key := seriesKey{verdict: t.Verdict, cause: t.Cause, role: t.TCP.Role, process: process, port: listener(t)}
	if process == other {
		key.port = 0
	}
	if s := m.series[key]; s != nil {
		return s
	}
	if len(m.series) >= m.bound {
		key.process, key.port = other, 0
		if s := m.series[key]; s != nil {
			return s
		}
	}
	port := other
	if key.process != other {
		port = strconv.Itoa(int(key.port))
	}
	s := m.ended.WithLabelValues(key.verdict.String(), key.cause.String(), key.role.String(), label(key.process), port)
	m.series[key] = s
	return s
}

// processOf returns the series of a process, one in twenty of the bound.
func (m *meter) processOf(name string) *processSeries {
	p := m.processes[name]
	if p == nil && len(m.processes) >= max(1, m.bound/20) {
		name = other
		p = m.processes[name]
	}
	if p == nil {
		p = &processSeries{m.bytes.WithLabelValues("unread", label(name)), m.bytes.WithLabelValues("unacked", label(name))}
		m.processes[strings.Clone(name)] = p
	}
	return p
}

// finding counts what is new in a finding.
func (m *meter) finding(n *news) {
	m.findings.WithLabelValues(n.ID, n.Harm.String()).Add(float64(n.more))
}

// listener is the port of the end that listened, 0 if it is not known which did.
func listener(t *model.Teardown) uint16 {
	switch t.TCP.Role {
	case model.Passive:
		return t.Network.Local.Port
	case model.Active:
		return t.Network.Peer.Port
	case model.RoleUnknown:
	}
	return 0
}

// label makes a name from the system fit for a label: Prometheus refuses what is not UTF-8, and
// a terminal on which the page is read obeys escape sequences.
func label(name string) string {
	return safetext.Escape(strings.ToValidUTF8(name[:min(len(name), labelMax)], "\ufffd"))
}

// labelMax bounds what a name takes on the page: those of the kernel have 15 bytes.
const labelMax = 256

// wait counts a record that is on its way.
func (m *meter) wait() { m.waiting.Inc() }

// export counts records that the Collector has.
func (m *meter) export(n int) {
	m.exported.Add(float64(n))
	m.waiting.Sub(float64(n))
}

// lose counts records that nobody will have.
func (m *meter) lose(reason string, n int) {
	m.lost[reason].Add(float64(n))
	m.waiting.Sub(float64(n))
}
