package pairs_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/pairs"
	"github.com/closetrace/closetrace/model"
)

const begin = model.Time(1795893600_000000000)

func end(id string, at time.Duration, local, peer string, print model.Fingerprint, cause model.Cause, rst bool) *model.Record {
	t := model.Teardown{}
	t.ID, t.Time, t.Cause, t.Verdict = id, begin.Add(at), cause, model.Abortive
	if cause == model.CauseFIN {
		t.Verdict = model.Graceful
	}
	l, p := netip.MustParseAddrPort(local), netip.MustParseAddrPort(peer)
	t.Network.Local, t.Network.Peer = model.Endpoint{Address: l.Addr(), Port: l.Port()}, model.Endpoint{Address: p.Addr(), Port: p.Port()}
	t.TCP.Fingerprint, t.TCP.RST.Sent = print, model.Some(rst)
	return &model.Record{Kind: model.KindTeardown, Teardown: t}
}

// TestTwoHosts: a client and a server whose clock is 90 s ahead, behind NAT. One connection
// was reset by something between them, one by the server, one ended well, and one of the
// client's has no other end.
func TestTwoHosts(t *testing.T) {
	j := pairs.New()
	const ahead = 90 * time.Second
	j.Add(0, end("c1", time.Second, "10.0.0.1:4001", "10.9.9.9:80", 1, model.CausePeerReset, false), true)
	j.Add(0, end("c2", 2*time.Second, "10.0.0.1:4002", "10.9.9.9:80", 2, model.CausePeerReset, false), true)
	j.Add(0, end("c3", 3*time.Second, "10.0.0.1:4003", "10.9.9.9:80", 3, model.CauseFIN, false), true)
	j.Add(0, end("c4", 4*time.Second, "10.0.0.1:4004", "10.9.9.9:80", 4, model.CauseRetransmitTimeout, false), true)
	j.Add(1, end("s3", 3*time.Second+ahead, "10.7.0.2:80", "10.7.0.1:33", 3, model.CauseFIN, false), true)
	j.Add(1, end("s2", 2*time.Second+ahead, "10.7.0.2:80", "10.7.0.1:32", 2, model.CauseUnreadData, true), true)
	j.Add(1, end("s1", time.Second+ahead, "10.7.0.2:80", "10.7.0.1:31", 1, model.CausePeerReset, false), true)
	r := j.Join(2)
	var got []string
	for _, p := range r.Pairs {
		got = append(got, p.A.ID+p.B.ID)
	}
	if strings.Join(got, " ") != "c1s1 c2s2 c3s3" {
		t.Errorf("got pairs %q, want those that differ first", got)
	}
	if !strings.Contains(r.Pairs[0].Differ, "neither sent it") || r.Pairs[1].Differ != "" || r.Pairs[2].Differ != "" {
		t.Errorf("got %+v", r.Pairs)
	}
	if len(r.Alone) != 1 || r.Alone[0].ID != "c4" {
		t.Errorf("alone: got %+v, want c4", r.Alone)
	}
	if !r.Offsets[1].Is(ahead) || r.Offsets[0].Known() {
		t.Errorf("got offsets %v, want the second 90 s ahead", r.Offsets)
	}
}

// TestOutcomesAmend: close() gave up, and then everything was acknowledged (case 05).
func TestOutcomesAmend(t *testing.T) {
	j := pairs.New()
	gaveUp := end("c1", time.Second, "10.0.0.1:4001", "10.9.9.9:80", 1, model.CauseLingerExpired, false)
	gaveUp.Teardown.Verdict, gaveUp.Teardown.TCP.Bytes.Unacked = model.LingerTimeout, model.Some(uint64(3_890_000))
	later := end("c1", 2*time.Second, "10.0.0.1:4001", "10.9.9.9:80", 1, model.CauseFIN, false)
	later.Kind, later.Teardown.TCP.Bytes.Unacked = model.KindOutcome, model.Some(uint64(0))
	j.Add(0, gaveUp, true)
	j.Add(0, later, true)
	r := j.Join(1)
	if len(r.Alone) != 1 || r.Alone[0].Verdict != model.LingerTimeout || r.Alone[0].Unacked != 0 {
		t.Errorf("got %+v, want a linger-timeout that lost nothing", r.Alone)
	}
}

// TestOutcomeAlone: an outcome whose teardown is not there, because a filter dropped it or it
// is in the file before a rotation, is an end of its own (docs/record.md).
func TestOutcomeAlone(t *testing.T) {
	j := pairs.New()
	later := end("c1", time.Second, "10.0.0.1:4001", "10.9.9.9:80", 1, model.CausePeerReset, false)
	later.Kind = model.KindOutcome
	j.Add(0, later, true)
	if r := j.Join(1); len(r.Alone) != 1 || r.Alone[0].Cause != model.CausePeerReset {
		t.Errorf("got %+v, want one end", r.Alone)
	}
}

// TestTuplesJoinOldRecordings: without fingerprints at both ends the addresses join them, if
// the times are near; fingerprints that differ are of two connections.
func TestTuplesJoinOldRecordings(t *testing.T) {
	for _, prints := range [][2]model.Fingerprint{{0, 0}, {1, 0}, {0, 1}, {1, 1}, {1, 2}} {
		j := pairs.New()
		j.Add(0, end("c1", time.Second, "10.0.0.1:4001", "10.0.0.2:80", prints[0], model.CauseFIN, false), true)
		j.Add(1, end("s0", -time.Hour, "10.0.0.2:80", "10.0.0.1:4001", 0, model.CauseFIN, false), true)
		j.Add(1, end("s1", time.Second, "10.0.0.2:80", "10.0.0.1:4001", prints[1], model.CauseFIN, false), true)
		r := j.Join(2)
		if prints == [2]model.Fingerprint{1, 2} {
			if len(r.Pairs) > 0 {
				t.Errorf("%v: got %+v, want no pair", prints, r.Pairs)
			}
		} else if len(r.Pairs) != 1 || r.Pairs[0].B.ID != "s1" {
			t.Errorf("%v: got %+v, want c1 with s1", prints, r.Pairs)
		}
	}
}

// TestUnknownResetAccusesNobody: a recording that does not say whether an end sent a RST
// (one way of a capture, an old Windows) does not show that it did not.
func TestUnknownResetAccusesNobody(t *testing.T) {
	for _, sent := range []model.Opt[bool]{{}, model.Some(true), model.Some(false)} {
		j := pairs.New()
		j.Add(0, end("c1", time.Second, "10.0.0.1:4001", "10.0.0.2:80", 1, model.CausePeerReset, false), true)
		server := end("s1", time.Second, "10.0.0.2:80", "10.0.0.1:4001", 1, model.CauseFIN, false)
		server.Teardown.TCP.RST.Sent = sent
		j.Add(1, server, true)
		if r := j.Join(2); len(r.Pairs) != 1 || (r.Pairs[0].Differ != "") != sent.Is(false) {
			t.Errorf("sent %v: got %+v", sent, r.Pairs)
		}
	}
}

// TestStrayResetsAreJoined: conntrack let an answer through untranslated, and the client's
// host, which has no such connection, reset the server's end (kubernetes/kubernetes#74839).
func TestStrayResetsAreJoined(t *testing.T) {
	stray := func(at time.Duration, local, peer string) *model.Record {
		r := end("", at, local, peer, 0, model.CauseUnknown, true)
		r.Kind, r.Stray = model.KindStray, model.Stray{Count: 1, First: r.Teardown.Time, Why: model.StrayNotOurs}
		return r
	}
	j := pairs.New()
	j.Add(0, end("c1", 2*time.Second, "10.0.0.1:4001", "10.9.9.9:80", 1, model.CausePeerReset, false), true)
	j.Add(0, stray(time.Second, "10.0.0.1:4001", "10.7.0.2:80"), true)
	j.Add(0, stray(time.Second, "10.0.0.1:4009", "10.7.0.2:80"), true)
	j.Add(1, end("s1", time.Second, "10.7.0.2:80", "10.0.0.1:4001", 1, model.CausePeerReset, false), true)
	j.Add(1, end("s2", time.Second, "10.7.0.2:80", "10.0.0.1:4002", 2, model.CausePeerReset, false), true)
	r := j.Join(2)
	if len(r.Pairs) != 1 || !strings.Contains(r.Pairs[0].Differ, "without this connection") || r.Pairs[0].B.HitBy != 1 {
		t.Errorf("got %+v, want that the first host reset it", r.Pairs)
	}
	if len(r.Alone) != 1 || r.Alone[0].HitBy != 0 {
		t.Errorf("got %+v, want one that no stray reset hit", r.Alone)
	}
}

// Two captures of one connection tell of both ends each: an end is joined with the other
// one of the other capture, the connection is there once, and what timed out says nothing
// of the clocks. The client's end of an attempt has no other one in either.
func TestTwoCaptures(t *testing.T) {
	j := pairs.New()
	for file := range 2 {
		at := time.Second + time.Duration(file)*time.Microsecond
		for n, print := range []model.Fingerprint{1, 0, 0} { // those without one are of one tuple
			at := at + time.Duration(n)*time.Second
			j.Add(file, end("a", at, "10.0.0.1:4001", "10.9.9.9:80", print, model.CauseLocalAbort, true), true)
			j.Add(file, end("b", at, "10.9.9.9:80", "10.0.0.1:4001", print, model.CausePeerReset, false), true)
		}
		j.Add(file, end("r", at, "10.0.0.1:4003", "10.9.9.9:80", 0, model.CauseRefused, false), true)
	}
	j.Add(0, end("c", 2*time.Second, "10.0.0.1:4002", "10.9.9.9:80", 2, model.CauseRetransmitTimeout, false), true)
	j.Add(1, end("d", 9*time.Second, "10.9.9.9:80", "10.0.0.1:4002", 2, model.CauseRetransmitTimeout, false), true)
	r := j.Join(2)
	for _, p := range r.Pairs {
		if p.A.File == p.B.File {
			t.Errorf("%s and %s are joined, both of recording %d", p.A.ID, p.B.ID, p.A.File)
		}
	}
	if len(r.Pairs) != 4 || !r.Offsets[1].Is(time.Microsecond) || len(r.Alone) != 1 || r.Alone[0].ID != "r" {
		t.Errorf("%d pairs, offsets %v, alone %+v; want 4, 1µs and the attempt", len(r.Pairs), r.Offsets, r.Alone)
	}
}

// Of two captures that differ on a connection, in whichever order, the ends that differ are
// shown, and one may have lost the RST.
func TestTwoCapturesThatDiffer(t *testing.T) {
	for first := range 2 {
		j := pairs.New()
		for n := range 2 {
			j.Add(n, &model.Record{Kind: model.KindStart, Start: model.Start{Backend: "wire"}}, true)
			if n == first { // the client's side
				j.Add(n, end("a", time.Second, "10.0.0.1:4001", "10.9.9.9:80", 1, model.CausePeerReset, false), true)
				j.Add(n, end("b", time.Second, "10.9.9.9:80", "10.0.0.1:4001", 1, model.CauseLocalAbort, true), true)
			} else {
				j.Add(n, end("a", 2*time.Second, "10.0.0.1:4001", "10.9.9.9:80", 1, model.CauseFIN, false), true)
				j.Add(n, end("b", 2*time.Second, "10.9.9.9:80", "10.0.0.1:4001", 1, model.CauseFIN, false), true)
			}
		}
		if r := j.Join(2); len(r.Pairs) != 1 || !strings.HasSuffix(r.Pairs[0].Differ, "something between them did, or the capture lost it") {
			t.Errorf("the client's side is file %d: got %+v", first, r.Pairs)
		}
	}
}

// TestACaptureAndATraceThatDiffer: the capture may have lost the RST that its end sent, in
// whichever order the two files are.
func TestACaptureAndATraceThatDiffer(t *testing.T) {
	for first := range 2 {
		j := pairs.New()
		j.Add(first, &model.Record{Kind: model.KindStart, Start: model.Start{Backend: "wire"}}, true)
		j.Add(first, end("a", time.Second, "10.0.0.1:4001", "10.9.9.9:80", 1, model.CausePeerReset, false), true)
		j.Add(1-first, end("b", time.Second, "10.9.9.9:80", "10.0.0.1:4001", 1, model.CausePeerReset, false), true)
		if r := j.Join(2); len(r.Pairs) != 1 || r.Pairs[0].Differ != "both were reset, and neither sent it: something between them did, or the capture lost it" {
			t.Errorf("the capture is file %d: got %+v", first, r.Pairs)
		}
	}
}

// TestManyOfOneTuple: a busy pair of hosts that reuses ports has many connections of one tuple.
func TestManyOfOneTuple(t *testing.T) {
	const many = 200
	j := pairs.New()
	for n := range many {
		at := time.Duration(n) * time.Second
		j.Add(0, end("c"+strconv.Itoa(n), at, "10.0.0.1:4001", "10.0.0.2:80", 0, model.CauseFIN, false), true)
		j.Add(1, end("s"+strconv.Itoa(n), at, "10.0.0.2:80", "10.0.0.1:4001", 0, model.CauseFIN, false), true)
	}
	r := j.Join(2)
	for _, p := range r.Pairs {
		if p.A.Time != p.B.Time {
			t.Errorf("%s is joined with %s", p.A.ID, p.B.ID)
		}
	}
	if len(r.Pairs) != many {
		t.Errorf("%d pairs, want %d", len(r.Pairs), many)
	}
}

// TestHostAndRouter: a router's capture has both ends of a connection, of which the host has
// recorded one: the router's copy of that is not without the other.
func TestHostAndRouter(t *testing.T) {
	for _, print := range []model.Fingerprint{0, 1} {
		j := pairs.New()
		j.Add(0, end("c1", time.Second, "10.0.0.1:4001", "10.0.0.2:80", print, model.CausePeerReset, false), true)
		j.Add(1, end("a", time.Second, "10.0.0.1:4001", "10.0.0.2:80", 1, model.CausePeerReset, false), true)
		j.Add(1, end("b", time.Second, "10.0.0.2:80", "10.0.0.1:4001", 1, model.CauseLocalAbort, true), true)
		j.Add(1, end("c", time.Hour, "10.0.0.1:4001", "10.0.0.2:80", 2, model.CauseRetransmitTimeout, false), true)
		r := j.Join(2)
		if len(r.Pairs) != 1 || r.Pairs[0].A.ID != "c1" || r.Pairs[0].B.ID != "b" || len(r.Alone) != 1 || r.Alone[0].ID != "c" {
			t.Errorf("fingerprint %d: pairs %+v, alone %+v; want c1 with b, and c", print, r.Pairs, r.Alone)
		}
	}
}

// TestLoopbackStaysOnItsHost: 127.0.0.1 of one host is not that of another.
func TestLoopbackStaysOnItsHost(t *testing.T) {
	j := pairs.New()
	for file := range 2 {
		print := model.Fingerprint(file) // the first recording has none
		j.Add(file, end("a", time.Second, "127.0.0.1:4001", "127.0.0.1:80", print, model.CauseFIN, false), true)
		j.Add(file, end("b", time.Second, "127.0.0.1:80", "127.0.0.1:4001", print, model.CauseFIN, false), true)
	}
	r := j.Join(2)
	for _, p := range r.Pairs {
		if p.A.File != p.B.File {
			t.Errorf("%s of recording %d is joined with %s of %d", p.A.ID, p.A.File, p.B.ID, p.B.File)
		}
	}
	if len(r.Pairs) != 2 {
		t.Errorf("%d pairs, want 2", len(r.Pairs))
	}
}

// TestChosenHaveTheirRoom: ends that a filter leaves out, however many, take no room of
// those that it chooses.
func TestChosenHaveTheirRoom(t *testing.T) {
	j := pairs.New()
	r := end("", 0, "10.0.0.1:1", "10.9.9.9:80", 0, model.CauseFIN, false)
	for i := range 500_001 {
		r.Teardown.ID, r.Teardown.TCP.Fingerprint = strconv.Itoa(i), model.Fingerprint(i+10)
		j.Add(0, r, false)
	}
	j.Add(0, end("c", time.Second, "10.0.0.1:4001", "10.9.9.9:80", 1, model.CausePeerReset, false), true)
	j.Add(1, end("s", time.Second, "10.9.9.9:80", "10.0.0.1:4001", 1, model.CauseUnreadData, true), true)
	if joined := j.Join(2); len(joined.Pairs) != 1 || j.Dropped != 1 {
		t.Errorf("%d pairs and %d dropped, want the chosen one and the last of the others", len(joined.Pairs), j.Dropped)
	}
}
