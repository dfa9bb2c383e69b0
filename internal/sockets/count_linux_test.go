package sockets

import (
	"net"
	"testing"
)

// TestCount: every socket counts once, and whoever has most is named.
func TestCount(t *testing.T) {
	before, err := Count()
	if err != nil {
		t.Fatal(err)
	}
	const more = 200
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range more {
		client, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
	}
	after, err := Count()
	if err != nil {
		t.Fatal(err)
	}
	if got := int(after.Open) - int(before.Open); got < 2*more-more/4 || got > 2*more+more/4 { // others open and close too
		t.Errorf("%d sockets more, want about %d", got, 2*more+1)
	}
	if after.Most < 2*more || after.Most > after.Open {
		t.Errorf("got %+v, want one with at least %d", after, 2*more)
	}
}
