package main

import (
	"context"
	"encoding/json"
	"net"
	"os/exec"
	"testing"
	"time"
)

// TestCost makes connections while doctor measures, and compares with what the test knows
// independently: how many ended, and the time that the kernel charged to the program.
func TestCost(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	made := make(chan uint64)
	go func() { made <- connectUntil(ctx) }()
	c := exec.Command(closetrace, "doctor", "--cost", "--json", "--duration", "2s")
	r := runProgram(t, c)
	stop()
	pairs := <-made
	var got cost
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code != exitOK {
		t.Fatalf("exit %d: %v: %s%s", r.code, err, r.out, r.errors)
	}
	if got.Ends == 0 || got.Ends > 2*pairs+1000 || got.Seconds < 2 || got.Seconds > 10 {
		t.Errorf("%d ends in %.1f s, want some and at most about %d", got.Ends, got.Seconds, 2*pairs)
	}
	charged := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	if got.Own <= 0 || time.Duration(got.Own) > charged {
		t.Errorf("own CPU time %v, want more than 0 and at most the %v of its whole life", time.Duration(got.Own), charged)
	}
	if got.Maps < 32<<20 || got.Process == 0 {
		t.Errorf("maps %d bytes, want the ring buffer's 32 MiB at least; process %d", got.Maps, got.Process)
	}
	var sum int64
	for _, p := range got.Programs {
		sum += p.Time
		if p.Runs == 0 || p.Time < 0 || p.Time > int64(got.Seconds*1e9)*int64(p.Runs) {
			t.Errorf("%s: %d runs in %v", p.Program, p.Runs, time.Duration(p.Time))
		}
	}
	if len(got.Programs) < 3 || sum > got.Kernel || sum < got.Kernel/2 {
		t.Errorf("%d programs that took %v, want their sum to be the total of %v", len(got.Programs), time.Duration(sum), time.Duration(got.Kernel))
	}
}

// connectUntil makes connections and returns how many.
func connectUntil(ctx context.Context) (n uint64) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0
	}
	defer l.Close()
	for ctx.Err() == nil {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			return n
		}
		if s, err := l.Accept(); err == nil {
			s.Close()
		}
		c.Close()
		n++
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
		}
	}
	return n
}
