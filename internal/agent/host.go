package agent

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
)

const (
	// maxListeners bounds the ports whose queues are shown.
	maxListeners = 256
	// listEvery is how long a list of sockets is good for: it costs 4 us a socket.
	listEvery = 15 * time.Second
)

func described(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("closetrace_"+name, help, labels, nil)
}

var (
	openDesc    = described("connections_open", "Connections of this network namespace by state.", "state")
	queueDesc   = described("listener_queue", "Connections that wait for accept(), by port.", "port")
	backlogDesc = described("listener_backlog", "How many may wait, by port.", "port")
	bpfDesc     = described("bpf_run_seconds_total", "Processor time of the programs in the kernel, by ends, from what their first runs took.")
)

// host collects what is asked for at each scrape.
type host struct {
	o *Options

	mu     sync.Mutex
	listed time.Time
	open   map[model.State]int
	queues map[uint16]queue
	more   queue // of ports beyond the bound
}

type queue struct{ length, limit uint64 }

// Describe implements [prometheus.Collector].
func (h *host) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{openDesc, queueDesc, backlogDesc, bpfDesc} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (h *host) Collect(to chan<- prometheus.Metric) {
	if h.o.BPFTime != nil {
		if spent, known := h.o.BPFTime(); known {
			to <- prometheus.MustNewConstMetric(bpfDesc, prometheus.CounterValue, spent.Seconds())
		}
	}
	if h.o.Sockets == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.listed) >= listEvery {
		h.list()
	}
	for state, n := range h.open {
		to <- prometheus.MustNewConstMetric(openDesc, prometheus.GaugeValue, float64(n), state.String())
	}
	for port, q := range h.queues {
		h.send(to, strconv.Itoa(int(port)), q)
	}
	if h.more.limit > 0 {
		h.send(to, other, h.more)
	}
}

func (h *host) send(to chan<- prometheus.Metric, port string, q queue) {
	to <- prometheus.MustNewConstMetric(queueDesc, prometheus.GaugeValue, float64(q.length), port)
	to <- prometheus.MustNewConstMetric(backlogDesc, prometheus.GaugeValue, float64(q.limit), port)
}

// list reads what is open; if that fails, it is left out.
func (h *host) list() {
	h.clear()
	if h.o.Sockets(h.add) != nil {
		h.clear()
	}
	h.listed = time.Now()
}

func (h *host) clear() { h.open, h.queues, h.more = map[model.State]int{}, map[uint16]queue{}, queue{} }

func (h *host) add(c *sockets.Conn) {
	if c.State != model.Listen {
		h.open[c.State]++
		return
	}
	q, known := h.queues[c.Network.Local.Port]
	if !known && len(h.queues) >= maxListeners {
		h.more.length += uint64(c.Queue.Receive)
		h.more.limit += uint64(c.Queue.Send)
		return
	}
	q.length += uint64(c.Queue.Receive)
	q.limit += uint64(c.Queue.Send)
	h.queues[c.Network.Local.Port] = q
}
