package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

const us = time.Microsecond

// blames are stories in which the one who is seen has nothing to do with it.
var blames = []story{
	{
		"one server hangs and its queue is full, while another, which works, is the only one that ends connections",
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "10.6.0.2:80", "10.6.0.1:4000", model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms))
			s.counts(2*sec, map[string]uint64{"TcpExtListenOverflows": 25})
		},
		[]string{"accept-queue-overflow"},
		[]string{"The accept queue of a listener (perhaps nginx's) was full: 25 overflows counted."},
	},
	{
		"the same, and clients of the port that hangs are reset",
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "10.6.0.2:80", "10.6.0.1:4000", model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms))
			for i := range 25 {
				s.end(2*sec+time.Duration(i)*200*ms, "app", model.Active, fmt.Sprintf("10.6.0.1:%d", 5000+i), "10.6.0.2:8000", model.CausePeerReset, bytes(0, 0), unacked(81), lasted(ms))
			}
			s.counts(2*sec, map[string]uint64{"TcpExtListenOverflows": 25})
		},
		[]string{"accept-queue-overflow"},
		[]string{"The accept queue of a listener was full: 25 overflows counted, 25 connections to 10.6.0.2:8000"},
	},
	{
		"wrk is done: it exits with answers under way", // its resets, and nginx's ends
		func(s *stream) {
			for i := range 30 {
				client := fmt.Sprintf("10.6.0.1:%d", 4000+i)
				s.end(3*sec+time.Duration(i)*20*us, "wrk", model.Active, client, "10.6.0.2:80", model.CauseUnreadData, bytes(9000, 60), unread(300), spoke(ms, ms),
					by(model.InitiatorLocal), call(model.CallExit, 0), lasted(2*sec))
				s.end(3*sec+time.Duration(i)*30*us, "nginx", model.Passive, "10.6.0.2:80", client, model.CausePeerReset, bytes(60, 9000), unacked(300), by(model.InitiatorPeer), lasted(2*sec))
			}
		},
		nil, nil,
	},
	{
		"a client of this host is killed", // nobody wanted that
		func(s *stream) {
			for i := range 30 {
				s.end(3*sec+time.Duration(i)*20*us, "worker", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:5672", model.CauseUnreadData, bytes(9000, 60), unread(300), spoke(ms, ms),
					by(model.InitiatorLocal), call(model.CallExit, 9), lasted(2*sec))
			}
		},
		[]string{"mass-end"},
		[]string{"30 connections with 10.6.0.0/24"},
	},
	{
		"three load balancers ask an agent for its state, each every 2 s, and a person once", // no two at one time
		func(s *stream) {
			for i := range 10 {
				for lb, late := range []time.Duration{0, 270 * ms, 1400 * ms} {
					s.end(time.Duration(2*i)*sec+late, "agent", model.Passive, "10.0.0.1:9999", fmt.Sprintf("10.0.0.%d:%d", 7+lb, 4000+i), model.CauseFIN, graceful, bytes(9, 0),
						by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
				}
			}
			s.end(7*sec, "agent", model.Passive, "10.0.0.1:9999", "10.0.9.1:4000", model.CauseFIN, graceful, bytes(9, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
		},
		nil, nil,
	},
	{
		"an agent that is asked at regular times turns others away",
		func(s *stream) {
			s.saysAndCloses("agent")
			for i := range 4 {
				s.end(time.Duration(i*i)*sec, "agent", model.Passive, "10.0.0.1:9999", fmt.Sprintf("10.0.9.1:%d", 4000+i), model.CauseFIN, graceful, bytes(9, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
			}
		},
		[]string{"turned-away"},
		[]string{"agent (port 9999) turned 14 connections of 2 peers away"},
	},
	{
		"nobody listens at port 80 of this host, as in a container", // each has a port 80 of its own
		func(s *stream) {
			for i := range 4 {
				s.end(time.Duration(i)*sec, "curl", model.Active, fmt.Sprintf("127.0.0.1:%d", 4000+i), "127.0.0.1:80", model.CauseRefused, failed, lasted(ms))
			}
			s.end(sec, "apache2", model.Passive, "172.17.0.2:80", "172.17.0.1:4000", model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms), inContainer)
		},
		[]string{"refused-loop"},
		[]string{"nobody listens there, or a firewall rejects."},
	},
	{
		"a listener of this host is full, and a container has one at the same port",
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "127.0.0.1:80", "127.0.0.1:3999", model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms))
			s.end(sec, "apache2", model.Passive, "172.17.0.2:80", "172.17.0.1:4000", model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms), inContainer)
			for i := range 3 {
				s.end(5*sec, "curl", model.Active, fmt.Sprintf("127.0.0.1:%d", 4000+i), "127.0.0.1:80", model.CauseConnectCancelled, failed, again(2), lasted(3*sec))
			}
			s.counts(4*sec, map[string]uint64{"TcpExtListenOverflows": 3})
		},
		[]string{"accept-queue-overflow"},
		[]string{"The accept queue of nginx (port 80) was full"},
	},
	{
		"the queue of a listener in a container is full often, and once one of this host", // whose is seen
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "10.6.0.2:80", "10.6.0.1:4000", model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms))
			s.counts(2*sec, map[string]uint64{"TcpExtListenOverflows": 500})
			s.records[len(s.records)-1].Counters.Network.NetNS = 7
			s.counts(3*sec, map[string]uint64{"TcpExtListenOverflows": 1})
		},
		[]string{"accept-queue-overflow"},
		[]string{"The accept queue of a listener was full: 501 overflows"},
	},
	{
		"keepalived moves a database's address to another host, which does not know the connections of a pool",
		func(s *stream) {
			for i := range 3 {
				s.end(90*sec+time.Duration(i)*sec, "app", model.Active, fmt.Sprintf("10.0.0.1:%d", 4000+i), "10.0.0.100:5432", model.CausePeerReset, bytes(500, 900), unacked(60), spoke(ms, 60*sec))
			}
		},
		[]string{"middlebox-reset"},
		[]string{"app with 10.0.0.100 were reset when they were used after at least 1m00s of idleness", "something between them had forgotten them, or the peer's host had"},
	},
}

// inContainer is of an end in another network namespace.
func inContainer(t *model.Teardown) { t.Network.NetNS = 7 }
