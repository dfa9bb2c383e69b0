//go:build linux

package tracer

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/model"
)

// Capture is what the kernel sent during a run of the lab, with the truths of that run:
// enough to repeat, without a kernel, all that user space did.
type Capture struct {
	Kernel   string           `json:"kernel"`
	Mode     Mode             `json:"mode"`
	Hertz    uint32           `json:"hertz"`
	Realtime int64            `json:"realtime"`
	Boottime int64            `json:"boottime"`
	Reasons  map[uint8]string `json:"reasons"`
	Results  []lab.Result     `json:"results"`
	Messages [][]byte         `json:"messages"`
	// AllReturns: every return of close() was traced. Older captures lack it.
	AllReturns bool `json:"all_returns,omitzero"`
}

// Capture returns what messages, recorded by Record, say of the results' namespaces, and
// of others' connections that had the same sockets in memory. The rest of the host is
// left out.
func (t *Tracer) Capture(messages [][]byte, results []lab.Result) Capture {
	a := t.asm
	c := Capture{
		Kernel: t.Start().OS.Version, Mode: t.Mode(), Hertz: a.hertz, Results: results,
		Realtime: a.clock.realtime, Boottime: a.clock.boottime, Reasons: a.reasons,
		AllReturns: t.loaded.allReturns(),
	}
	namespaces, socks := map[uint32]bool{}, map[uint64]bool{}
	for _, r := range results {
		namespaces[r.NetNS] = true
	}
	decoded := decodeAll(messages)
	for _, m := range decoded {
		if m.hasEnd() && namespaces[m.end.Netns] {
			socks[m.end.Sock] = true
		}
	}
	for i := range decoded {
		m := &decoded[i]
		if socks[m.sock()] || m.hasTuple() && namespaces[m.later.Netns] {
			c.Messages = append(c.Messages, messages[i])
		}
	}
	return c
}

func (m *message) hasEnd() bool {
	return m.kind == bpf.TraceMessageMESSAGE_END || m.kind == bpf.TraceMessageMESSAGE_LINGER ||
		m.kind == bpf.TraceMessageMESSAGE_LEFT
}

// hasTuple: the message names a tuple, because its socket is not known.
func (m *message) hasTuple() bool {
	return m.kind == bpf.TraceMessageMESSAGE_RESET_TW || m.kind == bpf.TraceMessageMESSAGE_RESET_GOT_TW ||
		m.kind == bpf.TraceMessageMESSAGE_STRAY
}

func (m *message) sock() uint64 {
	if m.hasEnd() {
		return m.end.Sock
	}
	return m.later.Sock
}

func decodeAll(raw [][]byte) []message {
	decoded := make([]message, len(raw))
	for i := range raw {
		if err := decoded[i].decode(raw[i]); err != nil {
			panic(err)
		}
	}
	return decoded
}

// ReadCapture reads a capture; it fails if the layout of messages has changed since.
func ReadCapture(path string) (c Capture, err error) {
	file, err := os.Open(path)
	if err != nil {
		return c, err
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		return c, err
	}
	if err := json.NewDecoder(text).Decode(&c); err != nil {
		return c, fmt.Errorf("read %s: %w", path, err)
	}
	c.knowBetween()
	var m message
	for _, raw := range c.Messages {
		if err := m.decode(raw); err != nil {
			return c, fmt.Errorf("read %s: %w: the messages have changed, record it again", path, err)
		}
	}
	return c, nil
}

// knowBetween corrects older captures, which attribute a forged RST to the peer.
func (c *Capture) knowBetween() {
	for i := range c.Results {
		if c.Results[i].Name == "reset-forged" {
			c.Results[i].Ends[0].Truth.Between = true
		}
	}
}

// WriteTo writes a capture to a file.
func (c Capture) WriteTo(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	packed, _ := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err := json.NewEncoder(packed).Encode(c); err != nil {
		return err
	}
	if err := packed.Close(); err != nil {
		return err
	}
	return file.Close()
}

// Play judges the messages in the order of their numbers. drop, if not nil,
// says which are lost in the kernel, which then counts as the kernel does.
func (c *Capture) Play(order []int, drop func(int) bool) []model.Record {
	var (
		decoded = decodeAll(c.Messages)
		records []model.Record
		losses  uint32
		left    = earliest(decoded, order)
	)
	a := newAssembler(translator{
		clock: clock{realtime: c.Realtime, boottime: c.Boottime}, hertz: c.Hertz, reasons: c.Reasons,
	}, "t")
	a.attached(c.AllReturns || c.Mode == Fentry)
	out := func(e *model.Event) bool {
		records = append(records, e.Judged())
		return true
	}
	for at, i := range order {
		m := &decoded[i]
		if drop != nil && drop(i) {
			losses++
			continue
		}
		m.end.Lost, m.later.Lost = losses, losses
		a.message(m, out)
		// As often as the reader polls, and with its promise: what was sent
		// before has been read.
		if at%64 == 0 {
			a.advance(left[at], losses, out)
		}
	}
	a.flush(losses, out)
	return records
}

// earliest returns for each place in order the time of the earliest message
// that comes after it.
func earliest(decoded []message, order []int) []ktime {
	left := make([]ktime, len(order))
	least := ktime(1 << 62)
	for at := len(order) - 1; at >= 0; at-- {
		left[at] = least
		least = min(least, decoded[order[at]].time())
	}
	return left
}

// InOrder is the order in which the messages came.
func (c *Capture) InOrder() []int {
	order := make([]int, len(c.Messages))
	for i := range order {
		order[i] = i
	}
	return order
}

// Shuffled is another order. The messages of one socket keep theirs: they come
// one after the other in calls on that socket. window bounds how far apart, in
// time, messages may change places; 0 is no bound. A reset from TIME_WAIT is of
// no socket; it stays within what two processors can do at once.
func (c *Capture) Shuffled(r *rand.Rand, window time.Duration) []int {
	decoded := decodeAll(c.Messages)
	at := make([]float64, len(decoded))
	last := map[uint64]float64{}
	for i := range decoded {
		spread := float64(window)
		if window == 0 {
			spread = 1e15
		}
		if decoded[i].hasTuple() {
			spread = min(spread, float64(hold/2))
		}
		at[i] = float64(decoded[i].time()) + r.Float64()*spread
		if sock := decoded[i].sock(); sock != 0 {
			at[i] = max(at[i], last[sock]+1)
			last[sock] = at[i]
		}
	}
	order := c.InOrder()
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case at[a] < at[b]:
			return -1
		case at[a] > at[b]:
			return 1
		default:
			return 0
		}
	})
	return order
}

func describe(raw []byte) string {
	var m message
	if err := m.decode(raw); err != nil {
		return err.Error()
	}
	if !m.hasEnd() {
		return fmt.Sprintf("%d: sock %x at %d", m.kind, m.later.Sock, m.later.Time)
	}
	e := &m.end
	n := network(e.Family, &e.Local, &e.Peer, e.LocalPort, e.PeerPort, e.Netns)
	return fmt.Sprintf("%d: sock %x at %d %v > %v netns %d path %x flags %#x", m.kind, e.Sock, m.time(),
		n.Local.AddrPort(), n.Peer.AddrPort(), n.NetNS, e.Path, e.Flags)
}
