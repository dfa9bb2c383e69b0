package scenariotest

import (
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Played is an end whose later records change what is known of it.
type Played struct {
	Truth
	Records []model.Record
}

const at = model.Time(1_790_000_000_000_000_000)

// Owned gives an end of a scenario, which has none, addresses and an owner.
func Owned(f *model.Facts) {
	if f.Time != 0 && f.TCP.LastSent != 0 { // as long before the end as it was
		f.TCP.LastSent = f.TCP.LastSent.Add(at.Sub(f.Time))
	}
	f.ID, f.Time, f.Duration = "7f3a-1c", at, model.Some(5*time.Second)
	f.Process = model.Process{PID: 812, Name: "nginx"}
	f.Network.Local = model.Endpoint{Address: netip.MustParseAddr("10.0.0.5"), Port: 443}
	f.Network.Peer = model.Endpoint{Address: netip.MustParseAddr("10.0.0.9"), Port: 51034}
	f.TCP.Role = model.Passive
}

// Plays returns the scenarios as one record each, and ends with outcomes, other closers
// and signals.
func Plays(truths []Truth) (list []Played) {
	for _, h := range truths {
		Owned(&h.Facts)
		t := model.Judge(h.Facts)
		list = append(list, Played{h, []model.Record{{Kind: model.KindTeardown, Teardown: t}}})
	}
	return append(append(list, corrected()...), closed()...)
}

// corrected are ends of which the truth comes with the outcome.
func corrected() []Played {
	waited := teardown(model.LingerTimeout, model.CauseLingerExpired, model.Bytes{Unacked: model.Some(uint64(3_890_000)), Unsent: model.Some(uint64(300_000))})
	waited.CloseBlocked = model.Some(2 * time.Second)
	doubted := waited
	doubted.Confidence, doubted.ConfidenceReason = model.Inferred, "a signal may have ended the wait"
	arrived := teardown(model.Graceful, model.CauseFIN, model.Bytes{Unacked: model.Some(uint64(0))})
	partly := teardown(model.Abortive, model.CauseRetransmitTimeout, model.Bytes{Unacked: model.Some(uint64(1000))})
	kept := teardown(model.Graceful, model.CauseFIN, model.Bytes{Unacked: model.Some(uint64(0))})
	kept.TCP.FIN.Sent = model.Some(true)
	reset := teardown(model.Abortive, model.CausePeerReset, model.Bytes{})
	reset.TCP.RST.Received = model.Some(true)

	later := func(name string, first, then model.Teardown, retracts bool) Played {
		p := Played{Truth: truth(name, &then)}
		p.Records = []model.Record{{Kind: model.KindTeardown, Teardown: first}, {Kind: model.KindOutcome, Teardown: then, Retracts: retracts}}
		p.Retracted, p.Amended = retracts, !retracts
		if !retracts {
			p.Outcome = then.Cause
		}
		return p
	}
	all := later("close() gave up, and all arrived (case 05)", waited, arrived, false)
	all.Verdict, all.Cause, all.Blocked, all.Amended = model.LingerTimeout, model.CauseLingerExpired, waited.CloseBlocked, false
	some := later("close() gave up, and some arrived", waited, partly, false)
	some.Blocked = waited.CloseBlocked
	timeWait := later("RST in TIME_WAIT (case 06)", kept, reset, false)
	timeWait.Facts.TCP.Bytes, timeWait.Facts.TCP.FIN = kept.TCP.Bytes, kept.TCP.FIN
	return []Played{all, some, later("a signal had ended the wait", doubted, arrived, true), timeWait}
}

// closed are ends that the owner's own close() did not end.
func closed() (list []Played) {
	for name, c := range map[string]model.Closer{
		"exit of a child (case 04)":       {PID: 901, Name: "redis-rdb-bgsave", Call: model.CallExit},
		"exit of a child without a name":  {PID: 901, Call: model.CallExit},
		"exit of the owner":               {PID: 812, Name: "nginx", Call: model.CallExit},
		"SIGKILL of the owner":            {PID: 812, Name: "nginx", Call: model.CallExit, Signal: 9},
		"SIGTERM of a child":              {PID: 901, Name: "child", Call: model.CallExit, Signal: 15},
		"close() by another process":      {PID: 901, Name: "child", Call: model.CallClose},
		"close() of a process not known":  {Call: model.CallClose},
		"shutdown() by the owner":         {PID: 812, Name: "nginx", Call: model.CallShutdown},
		"destroyed by ss of another user": {PID: 901, Name: "ss", Call: model.CallDestroy},
	} {
		t := teardown(model.Abortive, model.CauseUnreadData, model.Bytes{Unread: model.Some(uint64(7)), Sent: model.Some(uint64(1234)), Received: model.Some(uint64(99))})
		t.Closer = c
		t.TCP.RST.Sent = model.Some(true)
		list = append(list, Played{truth(name, &t), []model.Record{{Kind: model.KindTeardown, Teardown: t}}})
	}
	return list
}

func teardown(v model.Verdict, c model.Cause, b model.Bytes) (t model.Teardown) {
	Owned(&t.Facts)
	t.Judgement = model.Judgement{Verdict: v, Cause: c, Initiator: model.InitiatorLocal, Terminator: model.LocalApp, Confidence: model.Certain}
	t.TCP.Bytes = b
	return t
}

func truth(name string, t *model.Teardown) Truth {
	return Truth{
		Name: name, Facts: t.Facts, Verdict: t.Verdict, Cause: t.Cause, Initiator: t.Initiator, Terminator: t.Terminator,
		Confidence: t.Confidence, Reason: t.ConfidenceReason, Blocked: t.CloseBlocked,
	}
}
