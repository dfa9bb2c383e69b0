package sockets

import (
	"testing"
	"time"
)

// TestKeepaliveOfAnySetting: both times are any user's, and probes go on until the whole of
// TCP_USER_TIMEOUT is over.
func TestKeepaliveOfAnySetting(t *testing.T) {
	for _, test := range []struct{ timeout, interval, left, want time.Duration }{
		{10 * time.Second, 3 * time.Second, 2 * time.Second, 11 * time.Second},
		{11 * time.Second, 3 * time.Second, 2 * time.Second, 11 * time.Second},
		{time.Second, 3 * time.Second, 2 * time.Second, 2 * time.Second},
		{1 << 31 * time.Millisecond, time.Second, 0, 2147484 * time.Second},
		{10 * time.Second, 0, 2 * time.Second, 2 * time.Second},
	} {
		c := &Conn{}
		c.TCP.Timer.Expires = test.left
		d := keepalive(c, &Limits{UserTimeout: test.timeout, KeepaliveInterval: test.interval})
		if got := d.Left.Or(-1); got != test.want {
			t.Errorf("%v, every %v: got %v, want %v", test.timeout, test.interval, got, test.want)
		}
	}
}
