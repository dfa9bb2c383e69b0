package agent

import (
	"time"

	"github.com/closetrace/closetrace/internal/cluster"
	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
)

// Options configure an agent. The zero value counts and sends nothing.
type Options struct {
	// Start is of the trace: host, version and back end.
	Start model.Start
	// Endpoint is the URL of a Collector: http, https, grpc or grpcs. Empty takes it from
	// the variables OTEL_EXPORTER_OTLP_*; see [Exports].
	Endpoint string
	// MetricsListen is the address for Prometheus to scrape; empty is none.
	MetricsListen string
	// Spool is a directory for what can't be sent now; empty is none. SpoolSize is what
	// may be in it, in bytes.
	Spool     string
	SpoolSize int64
	// MaxSeries bounds the series of ends by process and port; 0 is 2,000.
	MaxSeries int
	// MaxMemory, in bytes, and MaxCPU, in processors, are limits above which detail is
	// shed; 0 is none.
	MaxMemory int64
	MaxCPU    float64
	// Choice can be changed while the agent runs.
	Choice Choice
	// Sockets calls each for every socket, valid until the next; nil leaves those metrics out.
	Sockets func(each func(*sockets.Conn)) error
	// Names are of pods and services, from the cluster; nil is none.
	Names *cluster.Names
	// BPFTime is the run time of the kernel's programs; nil or false if not known.
	BPFTime func() (time.Duration, bool)
	// Log gets what an operator should know, one line each.
	Log func(format string, args ...any)
	// Manager hears that the agent is alive; nil is none.
	Manager *Manager

	firstWait time.Duration // after the first failure to send; 0 is a second
}

// Choice is which records are sent.
type Choice struct {
	// All sends healthy ends too.
	All bool
	// Rate is how many records are sent a second; 0 is all. Ten times as many may come at once.
	Rate float64
}

const (
	batchSize   = 512         // records of one request
	batchBytes  = 1 << 20     // of its lines: a Collector refuses a request of more than 4 MiB by gRPC
	batchAge    = time.Second // after which one that is not full is sent
	queueSize   = 16          // batches in memory: 10 MB of long lines
	tick        = time.Second
	findEvery   = 10 // ticks
	remindAfter = 10 * time.Minute
	forgetAfter = time.Hour // what findings are made of
)
