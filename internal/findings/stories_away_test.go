package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

// established is the path of a client's connection, which its server ended.
var established = path(model.SynSent, model.Established)

// brief is n connections of a client, one in 300 ms, that its server ends soon.
func (s *stream) brief(from, n int, peer string, cause model.Cause, edits ...edit) {
	for i := range n {
		s.end(sec+time.Duration(i)*300*ms, "app", model.Active, fmt.Sprintf("10.6.0.1:%d", from+i), peer, cause,
			append([]edit{by(model.InitiatorPeer), lasted(2 * ms), established}, edits...)...)
	}
}

// longer is n connections of it that were served.
func (s *stream) longer(n int, peer string) {
	for i := range n {
		s.end(9*sec+time.Duration(i)*700*ms, "app", model.Active, fmt.Sprintf("10.6.0.1:%d", 9000+i), peer, model.CauseFIN, graceful, bytes(11000, 11200), idle(20*ms), spokeLast(model.SidePeer),
			by(model.InitiatorLocal), call(model.CallClose, 0), lasted(8*sec), established)
	}
}

// aways are stories about servers of which only the clients' ends are known.
var aways = []story{
	{
		"memcached over -c: it says so and closes, and the requests are reset",
		func(s *stream) {
			s.brief(4000, 20, "10.9.0.2:11211", model.CausePeerReset, bytes(519, 33))
			s.brief(5000, 6, "10.9.0.2:11211", model.CausePeerReset, bytes(0, 33), unacked(519), gotFIN)
			s.longer(3, "10.9.0.2:11211")
		},
		[]string{"turned-away"},
		[]string{"10.9.0.2 (port 11211) turns app away: it closed or reset 26 of 29 connections within 500ms, after a message of 33 B on average"},
	},
	{
		"mosquitto over max_connections: it closes without a word",
		func(s *stream) {
			s.brief(4000, 8, "10.9.0.2:1883", model.CausePeerReset, bytes(19, 0))
			s.brief(5000, 8, "10.9.0.2:1883", model.CauseFIN, graceful, bytes(0, 0), gotFIN)
		},
		[]string{"turned-away"},
		[]string{"10.9.0.2 (port 1883) turns app away: it closed or reset 16 of 16 connections within 500ms, and took no request."},
	},
	{
		"a server that answers, and resets to keep ports out of TIME_WAIT",
		func(s *stream) {
			s.brief(4000, 40, "10.9.0.2:8000", model.CausePeerReset, bytes(80, 120), spokeLast(model.SidePeer))
		},
		nil, nil,
	},
	{
		"servers that answer small requests, or say the time, and close in good order",
		func(s *stream) {
			s.brief(4000, 40, "10.9.0.2:8000", model.CauseFIN, graceful, bytes(80, 120), gotFIN)
			s.brief(5000, 40, "10.9.0.2:13", model.CauseFIN, graceful, bytes(0, 26), gotFIN)
		},
		nil, nil,
	},
	{
		"probes that say nothing, which the server closes at once",
		func(s *stream) { s.brief(4000, 40, "10.9.0.2:8000", model.CauseFIN, graceful, bytes(0, 0), gotFIN) },
		nil, nil,
	},
	{
		"some that are reset, of many",
		func(s *stream) {
			s.brief(4000, 12, "10.9.0.2:8000", model.CausePeerReset, bytes(80, 0))
			s.longer(40, "10.9.0.2:8000")
		},
		nil, nil,
	},
	{
		"a recording of abnormal ends only: the good ones were counted",
		func(s *stream) {
			s.brief(4000, 12, "10.9.0.2:8000", model.CausePeerReset, bytes(80, 0))
			r := model.Record{Kind: model.KindCounts, Counted: model.Counted{Ends: 900}}
			r.Teardown.Time = begin.Add(9 * sec)
			s.records = append(s.records, r)
		},
		nil, nil,
	},
	{
		"unbound near its limit, seen by its clients alone",
		func(s *stream) { s.hastened(24) },
		[]string{"keepalive-race"},
		[]string{"10.9.0.2 closes connections after 200ms of idleness, and 10 requests of app came too late and were reset."},
	},
	{
		"the same, and what came too late may be a close_notify",
		func(s *stream) { s.hastened(31, bytes(624, 740)) },
		nil, nil,
	},
}

// hastened is a server elsewhere that closes each connection after 200 ms, and resets so many bytes that
// come later.
func (s *stream) hastened(late uint64, edits ...edit) {
	for i := range 10 {
		closed := sec + time.Duration(max(i-2, 0))*100*ms
		s.end(closed+300*ms, "app", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:8053", model.CausePeerReset, append([]edit{
			bytes(24, 40), unacked(late), idle(200 * ms), spoke(500*ms, 500*ms), by(model.InitiatorPeer), gotFIN, lasted(503 * ms), established,
			func(t *model.Teardown) { t.Evidence.FirstFIN = begin.Add(closed) },
		}, edits...)...)
	}
}
