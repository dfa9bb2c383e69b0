package agent

import (
	"errors"
	"testing"

	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
)

// TestOpenConnections: sockets are counted as they come, listeners by port, and nothing is
// shown of a list that could not be read to its end.
func TestOpenConnections(t *testing.T) {
	var failure error
	o := &Options{MaxSeries: 10, Sockets: func(each func(*sockets.Conn)) error {
		var c sockets.Conn
		for n := range 10 {
			c.State = model.TimeWait
			if n%2 == 0 {
				c.State, c.Network.Local.Port = model.Listen, uint16(80+n%4)
				c.Queue = sockets.Queue{Receive: 1, Send: 128}
			}
			each(&c)
		}
		return failure
	}}
	a := &Agent{meter: newMeter(o)}
	open, states := gathered(t, a, "connections_open")
	queue, ports := gathered(t, a, "listener_queue")
	if open != 5 || states != 1 || queue != 5 || ports != 2 {
		t.Errorf("%v open in %d states, %v wait at %d ports; want 5 in 1, 5 at 2", open, states, queue, ports)
	}
	failure = errors.New("interrupted")
	b := &Agent{meter: newMeter(o)}
	if _, states := gathered(t, b, "connections_open"); states != 0 {
		t.Errorf("%d states of a list that failed", states)
	}
}
