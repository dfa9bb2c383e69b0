package model

import "testing"

// TestRulesAgreeWithOnClose: an end inside close() has the cause that the table of
// close() gives, in every state and with every mark.
func TestRulesAgreeWithOnClose(t *testing.T) {
	for state := Established; int(state) < len(stateNames); state++ {
		for marks := range CloseUnsent << 1 {
			does, cause := OnClose(state, marks)
			if cause == CauseUnknown || cause == CauseLinger2Timeout || !does.Aborts() {
				continue // decided by what follows the close
			}
			has := func(m CloseMarks) bool { return marks&m != 0 }
			f := Facts{TCP: TCP{Path: PathOf(state)}}
			f.Evidence = Evidence{
				Owned: Some(true), Dead: Some(false), Shutdown: Some(uint8(3)), Descriptor: HolderClosing,
				Repair: has(CloseRepair), FINAcked: Some(false),
			}
			if has(CloseUnread) {
				f.TCP.Bytes.Unread = Some(uint64(1))
			}
			f.Linger.On = Some(has(CloseLingerZero | CloseLingers))
			f.Linger.Seconds = Some(5)
			if has(CloseLingerZero) {
				f.Linger.Seconds = Some(0)
			}
			if got := Classify(&f).Cause; got != cause && state != SynSent {
				t.Errorf("%v, marks %06b: the rules say %v, the table %v", state, marks, got, cause)
			}
		}
	}
}

func TestOnClose(t *testing.T) {
	for _, state := range []State{StateUnknown, Closed, Listen, TimeWait} {
		if does, cause := OnClose(state, CloseUnread); does != CloseUnknown || cause != CauseUnknown {
			t.Errorf("%v: got %v, %v: there is nothing to close", state, does, cause)
		}
	}
	for l, want := range map[Linger]CloseMarks{
		{}: 0, {On: Some(false), Seconds: Some(0)}: 0, {On: Some(true), Seconds: Some(0)}: CloseLingerZero,
		{On: Some(true), Seconds: Some(-1)}: CloseLingers, {On: Some(true)}: CloseLingers,
	} {
		if got := l.CloseMarks(); got != want {
			t.Errorf("%+v: marks %b, want %b", l, got, want)
		}
	}
}

// TestCloseInEachState has what __tcp_close() (Linux 6.18, net/ipv4/tcp.c) does, state by state.
func TestCloseInEachState(t *testing.T) {
	for _, c := range []struct {
		state State
		marks CloseMarks
		does  CloseEffect
		cause Cause
	}{
		{Established, 0, CloseFIN, CauseUnknown},
		{CloseWait, 0, CloseFIN, CauseUnknown},
		{SynRecv, 0, CloseFIN, CauseUnknown},
		{SynSent, 0, CloseGiveUp, CauseUnknown},
		{SynSent, CloseLingers, CloseGiveUp, CauseUnknown},
		{SynSent, CloseLingerZero, CloseGiveUp, CauseUnknown},
		{FinWait1, 0, CloseFinish, CauseUnknown},
		{FinWait2, 0, CloseFinish, CauseUnknown},
		{Closing, 0, CloseFinish, CauseUnknown},
		{LastAck, 0, CloseFinish, CauseUnknown},
		{Established, CloseUnread, CloseReset, CauseUnreadData},
		{Established, CloseUnread | CloseLingerZero | CloseLingers, CloseReset, CauseUnreadData},
		{Established, CloseRepair | CloseUnread, CloseSilent, CauseTCPRepair},
		{Established, CloseLingerZero, CloseReset, CauseLingerZero},
		{CloseWait, CloseLingerZero, CloseReset, CauseLingerZero},
		{FinWait1, CloseLingerZero, CloseReset, CauseLingerZero},
		{FinWait2, CloseLingerZero, CloseReset, CauseLingerZero},
		{LastAck, CloseLingerZero, CloseSilent, CauseUnknown},
		{Closing, CloseLingerZero, CloseSilent, CauseUnknown},
		{LastAck, CloseLingerZero | CloseUnsent, CloseReset, CauseLingerZero},
		{Closing, CloseLingerZero | CloseUnsent, CloseReset, CauseLingerZero},
		{FinWait2, CloseNoFINWait, CloseReset, CauseLinger2Timeout},
		{Established, CloseNoFINWait, CloseFIN, CauseLinger2Timeout},
		{CloseWait, CloseNoFINWait, CloseFIN, CauseUnknown},
		{FinWait2, CloseLingers, CloseFinish, CauseUnknown},
		{Established, CloseLingers, CloseBlock, CauseUnknown},
		{CloseWait, CloseLingers, CloseBlock, CauseUnknown},
		{FinWait1, CloseLingers, CloseBlock, CauseUnknown},
		{LastAck, CloseLingers, CloseBlock, CauseUnknown},
		{NewSynRecv, 0, CloseUnknown, CauseUnknown},
	} {
		if does, cause := OnClose(c.state, c.marks); does != c.does || cause != c.cause {
			t.Errorf("%v, marks %06b: got %v, %v, want %v, %v", c.state, c.marks, does, cause, c.does, c.cause)
		}
	}
	for e := range CloseFIN + 1 {
		if aborts := e == CloseSilent || e == CloseReset || e == CloseGiveUp; e.Aborts() != aborts || e.Waits() != (e == CloseBlock) {
			t.Errorf("effect %d: aborts %v, waits %v", e, e.Aborts(), e.Waits())
		}
	}
}
