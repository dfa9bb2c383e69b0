package sockets

import (
	"fmt"
	"math"
	"time"

	"github.com/closetrace/closetrace/internal/human"

	"github.com/closetrace/closetrace/model"
)

// Effect is what close() of a descriptor would do, in one word.
type Effect uint8

const (
	EffectUnknown  Effect = iota
	EffectNothing         // the connection is gone, or the kernel's alone
	EffectShared          // other descriptors keep the socket open
	EffectFIN             // FIN at once: nothing waits
	EffectDrain           // return at once; data and FIN follow in the background
	EffectBlock           // wait for SO_LINGER
	EffectReset           // RST
	EffectGiveUp          // an attempt to connect is given up, nothing is sent; unreachable if ICMP had come
	EffectFinish          // our FIN was sent by shutdown(): the rest goes on in the background
	EffectUnlisten        // stop listening; waiting connections are reset
	EffectSilent          // TCP_REPAIR: nothing is sent
)

var effectNames = []string{
	"unknown", "nothing", "shared", "fin", "drain", "block", "reset", "give-up", "finish", "unlisten", "silent",
}

// String returns the name used in JSON and in filters.
func (e Effect) String() string {
	if int(e) < len(effectNames) {
		return effectNames[e]
	}
	return fmt.Sprint(uint8(e))
}

// MarshalText implements [encoding.TextMarshaler].
func (e Effect) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// Forever is the wait of SO_LINGER with a negative time (sk_setsockopt).
const Forever = time.Duration(math.MaxInt64)

// Prediction is what close() would do now. Data that comes or goes between the
// look and the close can change it, and a process that exits does not wait.
type Prediction struct {
	Effect Effect `json:"effect"`
	// Cause is that of the teardown that follows, where it is certain.
	Cause model.Cause `json:"cause,omitzero"`
	// Bytes would be drained, or would be lost by a reset.
	Bytes uint64 `json:"bytes,omitzero"`
	// Wait is how long close() may block.
	Wait time.Duration `json:"wait_ns,omitzero"`
	// Others is how many other descriptors there are (shared), or how many
	// connections wait (unlisten).
	Others int `json:"others,omitzero"`
	// Unsure: SO_LINGER is not known, and could change it.
	Unsure bool `json:"unsure,omitzero"`
}

// Predict tells what close() would do to c. The order of the questions is that
// of __tcp_close (Linux 5.10 to 6.18, net/ipv4/tcp.c).
func Predict(c *Conn) Prediction {
	p := predict(c)
	switch p.Effect {
	case EffectFIN, EffectDrain:
		p.Unsure = !c.Linger.On.Known()
	case EffectFinish:
		p.Unsure = !c.Linger.On.Known() && c.State != model.FinWait2
	default:
	}
	return p
}

func predict(c *Conn) Prediction {
	others := len(c.Holders) - 1
	unread := c.TCP.Bytes.Unread.Or(0)
	switch {
	case c.Transport != "tcp", c.TCP.MPTCP:
		return Prediction{}
	case c.State == model.Closed, c.TCP.TimeWait, c.Orphan:
		return Prediction{Effect: EffectNothing}
	case others > 0:
		return Prediction{Effect: EffectShared, Others: others}
	case c.State == model.Listen:
		return Prediction{Effect: EffectUnlisten, Others: int(c.Queue.Receive)}
	case c.Unaccepted, c.State == model.SynRecv, c.State == model.NewSynRecv:
		return Prediction{Effect: EffectReset, Cause: model.CauseListenerClosed, Bytes: c.TCP.Bytes.Lost()}
	case c.TCP.Repair:
		return Prediction{Effect: EffectSilent, Cause: model.CauseTCPRepair}
	case unread > 0:
		return Prediction{Effect: EffectReset, Cause: model.CauseUnreadData, Bytes: unread}
	case c.Linger.On.Is(true) && c.Linger.Seconds.Is(0):
		return lingerZero(c)
	case c.State == model.SynSent:
		return Prediction{Effect: EffectGiveUp}
	case c.Linger.On.Is(true) && waits(c.State):
		return Prediction{Effect: EffectBlock, Bytes: unacked(c), Wait: lingerTime(c.Linger.Seconds.Or(0))}
	default:
		return closes(c)
	}
}

// lingerZero follows tcp_disconnect() and tcp_need_reset(): once our FIN was
// sent and the peer's came, only data that never left still causes an RST.
func lingerZero(c *Conn) Prediction {
	switch c.State {
	case model.SynSent:
		return Prediction{Effect: EffectGiveUp}
	case model.LastAck, model.Closing:
		if c.TCP.Bytes.Unsent.Or(0) == 0 {
			return Prediction{Effect: EffectSilent}
		}
	default:
	}
	return Prediction{Effect: EffectReset, Cause: model.CauseLingerZero, Bytes: c.TCP.Bytes.Unacked.Or(0)}
}

// waits: sk_stream_wait_close() waits in FIN_WAIT1, CLOSING and LAST_ACK, which
// close() enters.
func waits(s model.State) bool { return s != model.FinWait2 && s != model.SynSent }

func lingerTime(seconds int) time.Duration {
	if seconds < 0 || int64(seconds) > int64(Forever/time.Second) {
		return Forever
	}
	return time.Duration(seconds) * time.Second
}

func unacked(c *Conn) uint64 { return c.TCP.Bytes.Unacked.Or(0) }

// closes is the close without SO_LINGER and with nothing unread.
func closes(c *Conn) Prediction {
	switch c.State {
	case model.FinWait2:
		if c.TCP.Linger2.Or(0) < 0 {
			return Prediction{Effect: EffectReset, Cause: model.CauseLinger2Timeout}
		}
		return Prediction{Effect: EffectFinish}
	case model.FinWait1, model.Closing, model.LastAck:
		return Prediction{Effect: EffectFinish, Bytes: unacked(c)}
	case model.Established, model.CloseWait:
		p := Prediction{Effect: EffectFIN, Bytes: unacked(c)}
		if p.Bytes > 0 {
			p.Effect = EffectDrain
		}
		if c.State == model.Established && c.TCP.Linger2.Or(0) < 0 {
			p.Cause = model.CauseLinger2Timeout
		}
		return p
	default:
		return Prediction{}
	}
}

// String returns the sentence: "would reset: 512 bytes unread".
func (p Prediction) String() string {
	text := p.sentence()
	if p.Cause == model.CauseLinger2Timeout && p.Effect != EffectReset {
		text += ", and not wait for the peer's (TCP_LINGER2)"
	}
	if p.Unsure {
		text += " (SO_LINGER not known)"
	}
	return text
}

func (p Prediction) sentence() string {
	switch p.Effect {
	case EffectNothing:
		return "closed already"
	case EffectShared:
		return fmt.Sprintf("would do nothing: %s", count(p.Others, "other descriptor"))
	case EffectFIN:
		return "would send FIN"
	case EffectDrain:
		return fmt.Sprintf("would drain %s", size(p.Bytes))
	case EffectBlock:
		return p.blocks()
	case EffectReset:
		return p.resets()
	case EffectGiveUp:
		return "would give up connecting"
	case EffectFinish:
		if p.Bytes > 0 {
			return fmt.Sprintf("would drain %s; FIN is queued", size(p.Bytes))
		}
		return "FIN was sent"
	case EffectUnlisten:
		if p.Others > 0 {
			return fmt.Sprintf("would reset %s", count(p.Others, "waiting connection"))
		}
		return "would stop listening"
	case EffectSilent:
		return "would end without RST"
	case EffectUnknown:
	}
	return ""
}

func (p Prediction) blocks() string {
	text := "would block"
	if p.Wait != Forever {
		text += fmt.Sprintf(" up to %d s", int64(p.Wait/time.Second))
	}
	if p.Bytes > 0 {
		text += ": " + size(p.Bytes) + " to drain"
	}
	return text
}

func (p Prediction) resets() string {
	switch p.Cause {
	case model.CauseUnreadData:
		return fmt.Sprintf("would reset: %s unread", size(p.Bytes))
	case model.CauseLingerZero:
		if p.Bytes > 0 {
			return fmt.Sprintf("would reset: SO_LINGER {1,0}, %s lost", size(p.Bytes))
		}
		return "would reset: SO_LINGER {1,0}"
	case model.CauseListenerClosed:
		return "would be reset with its listener"
	default:
		return "would reset: " + p.Cause.String()
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// size writes small numbers of bytes exactly: 1 and 0 are very different here.
func size(n uint64) string {
	if n == 1 {
		return "1 byte"
	}
	if n < 10_000 {
		return fmt.Sprintf("%d bytes", n)
	}
	return human.Bytes(n)
}
