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

// Predict returns what close() would do to c.
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
	default:
		return onClose(c)
	}
}

// onClose is the close of the last descriptor of a connection: model.OnClose, and what
// of it a person wants to know.
func onClose(c *Conn) Prediction {
	unread, unacked, unsent := c.TCP.Bytes.Unread.Or(0), c.TCP.Bytes.Unacked.Or(0), c.TCP.Bytes.Unsent.Or(0)
	marks := c.Linger.CloseMarks() | model.CloseRepair.If(c.TCP.Repair) | model.CloseUnread.If(unread > 0) |
		model.CloseNoFINWait.If(c.TCP.Linger2.Or(0) < 0) | model.CloseUnsent.If(unsent > 0)
	does, cause := model.OnClose(c.State, marks)
	p := Prediction{Effect: effects[does], Cause: cause}
	switch {
	case cause == model.CauseUnreadData:
		p.Bytes = unread
	case cause == model.CauseLingerZero, does == model.CloseFinish && c.State != model.FinWait2, does == model.CloseFIN:
		p.Bytes = unacked
	case does == model.CloseBlock:
		p.Bytes, p.Wait = unacked, lingerTime(c.Linger.Seconds.Or(0))
	}
	if does == model.CloseFIN && unacked > 0 {
		p.Effect = EffectDrain
	}
	return p
}

var effects = [...]Effect{
	model.CloseUnknown: EffectUnknown, model.CloseSilent: EffectSilent, model.CloseReset: EffectReset, model.CloseGiveUp: EffectGiveUp,
	model.CloseBlock: EffectBlock, model.CloseFinish: EffectFinish, model.CloseFIN: EffectFIN,
}

func lingerTime(seconds int) time.Duration {
	if seconds < 0 || int64(seconds) > int64(Forever/time.Second) {
		return Forever
	}
	return time.Duration(seconds) * time.Second
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
