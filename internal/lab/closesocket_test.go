package lab

import (
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

func closingNamed(t *testing.T, name string) *closing {
	t.Helper()
	for i := range closings {
		if closings[i].name == name {
			return &closings[i]
		}
	}
	t.Fatalf("no closing %q", name)
	return nil
}

// The table of closesocket in the Winsock reference: l_onoff, l_linger,
// blocking -> type of close, waits.
func TestClosesThatWentAsDocumented(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name    string
		w       witnessed
		verdict model.Verdict
		cause   model.Cause
		linger  model.LingerOutcome
	}{
		{"linger-off", witnessed{took: ms}, model.Graceful, model.CauseFIN, 0},
		{"linger-off-pending", witnessed{took: ms}, model.Graceful, model.CauseFIN, 0},
		{"linger-off-nonblocking", witnessed{took: ms}, model.Graceful, model.CauseFIN, 0},
		{"linger-zero", witnessed{took: ms, peer: wasReset}, model.Abortive, model.CauseLingerZero, 0},
		{"linger-zero-pending", witnessed{took: ms, peer: wasReset}, model.Abortive, model.CauseLingerZero, 0},
		{"linger-zero-nonblocking", witnessed{took: ms, peer: wasReset}, model.Abortive, model.CauseLingerZero, 0},
		{"linger-drained", witnessed{took: 300 * ms}, model.Graceful, model.CauseFIN, model.LingerDrained},
		{"linger-expired", witnessed{took: 1001 * ms, peer: wasReset}, model.LingerTimeout, model.CauseLingerExpired, model.LingerExpired},
		{"linger-expired", witnessed{took: 985 * ms, peer: wasReset}, model.LingerTimeout, model.CauseLingerExpired, model.LingerExpired},
		{"linger-would-block", witnessed{failed: wouldBlock, peer: wasReset}, model.Abortive, model.CauseLingerZero, 0},
		{"unread-data", witnessed{peer: wasReset}, model.Abortive, model.CauseUnreadData, 0},
		{"shutdown-first", witnessed{}, model.Graceful, model.CauseFIN, 0},
		{"process-exit", witnessed{}, model.Graceful, model.CauseFIN, 0},
		{"process-exit", witnessed{peer: wasReset}, model.Abortive, model.CauseLocalAbort, 0},
		{"refused", witnessed{connect: wasRefused}, model.FailedOpen, model.CauseRefused, 0},
	} {
		c := closingNamed(t, tt.name)
		if d := c.differs(&tt.w); d != "" {
			t.Errorf("%s: %s; want as documented", tt.name, d)
		}
		own, peer := c.truths(&tt.w)
		if own.Verdict != tt.verdict || own.Cause != tt.cause || own.Linger != tt.linger {
			t.Errorf("%s: truth = %+v, want %v %v %v", tt.name, own, tt.verdict, tt.cause, tt.linger)
		}
		reset := tt.w.peer == wasReset
		if !c.refused && (peer.Cause == model.CausePeerReset) != reset {
			t.Errorf("%s: the peer's truth = %+v, it read %q", tt.name, peer, tt.w.peer)
		}
	}
}

func TestClosesThatWentOtherwiseAreTold(t *testing.T) {
	for name, w := range map[string]witnessed{
		"linger-off":              {peer: wasReset},
		"linger-zero":             {},
		"linger-zero-nonblocking": {took: time.Second, peer: wasReset},
		"linger-drained":          {took: 6 * time.Second},
		"linger-expired":          {took: 900 * time.Millisecond, peer: wasReset},
		"linger-would-block":      {peer: wasReset},
		"unread-data":             {},
		"refused":                 {},
	} {
		if closingNamed(t, name).differs(&w) == "" {
			t.Errorf("%s: %+v is as documented, want a difference", name, w)
		}
	}
}

// closings judged by records: what a trace of Windows 11 has, and one of
// Windows 10.
func TestClosesAreComparedWithRecords(t *testing.T) {
	local, peer := netip.MustParseAddrPort("127.0.0.1:50000"), netip.MustParseAddrPort("127.0.0.1:50001")
	w := witnessed{failed: wouldBlock, peer: wasReset}
	at := time.Date(2026, 11, 20, 17, 23, 0, 0, time.UTC)
	played := func() []Result {
		r := closingNamed(t, "linger-would-block").result(&w, local, peer, 812, 812)
		r.Start, r.Stop = at, at.Add(time.Second)
		return []Result{r}
	}
	end := func(local, peer netip.AddrPort, verdict model.Verdict, cause model.Cause, initiator model.Initiator, terminator model.Terminator) model.Record {
		r := model.Record{Kind: model.KindTeardown}
		r.Teardown.Time = model.TimeOf(at)
		r.Teardown.Network = model.Network{
			Local: model.Endpoint{Address: local.Addr(), Port: local.Port()}, Peer: model.Endpoint{Address: peer.Addr(), Port: peer.Port()},
		}
		r.Teardown.Judgement = model.Judgement{Verdict: verdict, Cause: cause, Initiator: initiator, Terminator: terminator}
		r.Teardown.TCP.Role = model.Active
		if local.Port() == 50001 {
			r.Teardown.TCP.Role = model.Passive
		}
		return r
	}
	failed := end(local, peer, 0, 0, 0, 0)
	failed.Kind, failed.Error = model.KindCloseFailed, wouldBlock
	zero := end(local, peer, model.Abortive, model.CauseLingerZero, model.InitiatorLocal, model.LocalApp)
	reset := end(peer, local, model.Abortive, model.CausePeerReset, model.InitiatorPeer, model.Peer)
	abort := end(local, peer, model.Abortive, model.CauseLocalAbort, model.InitiatorLocal, model.LocalApp)
	for _, tt := range []struct {
		name    string
		untold  bool
		records []model.Record
		wrong   int
	}{
		{"Windows 11", false, []model.Record{failed, zero, reset}, 0},
		{"Windows 11, the failed close not told", false, []model.Record{zero, reset}, 1},
		{"Windows 11, a failed close too many", false, []model.Record{failed, failed, zero, reset}, 1},
		{"Windows 11, judged as on Windows 10", false, []model.Record{failed, abort, reset}, 1},
		{"Windows 10", true, []model.Record{abort, reset}, 0},
		{"Windows 10, a certainty that it can't have", true, []model.Record{zero, reset}, 1},
		{"Windows 10, an end not told", true, []model.Record{abort}, 1},
	} {
		results := played()
		if tt.untold {
			Untold(results)
		}
		wrong := 0
		for _, f := range Compare(results, tt.records) {
			if f.Kind != Absent {
				wrong++
			}
		}
		if wrong != tt.wrong {
			t.Errorf("%s: %d wrong, want %d: %v", tt.name, wrong, tt.wrong, Compare(results, tt.records))
		}
	}
}
