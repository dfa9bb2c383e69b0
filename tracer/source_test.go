//go:build linux

package tracer_test

import (
	"net"
	"testing"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// TestSource checks each mode against the promises of model.Source.
func TestSource(t *testing.T) {
	for _, mode := range tracer.TypedModes() {
		t.Run(string(mode), func(t *testing.T) {
			open(t, tracer.Options{Mode: mode}).Close()
			sourcetest.Run(t, sourcetest.Config{
				Live:    true,
				Open:    func(t *testing.T) model.Source { return open(t, tracer.Options{Mode: mode}) },
				Provoke: connectAndClose,
			})
		})
	}
}

func connectAndClose(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Error(err)
		return
	}
	defer listener.Close()
	for range 3 {
		client, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		server, err := listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		client.Close()
		server.Close()
	}
}
