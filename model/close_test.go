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
