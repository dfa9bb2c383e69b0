package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

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
}
