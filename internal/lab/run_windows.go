package lab

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// stage exists on Linux only.
type stage struct{}

// Main is the other process of a scenario and exits, if this process was
// started by [Run] for that. Otherwise it does nothing.
func Main() {
	if to, ok := roleOf(os.Args); ok {
		os.Exit(connectAndExit(to))
	}
}

// Scenarios returns the ways to call closesocket that closetrace can be tested
// with on one machine.
func Scenarios() []Scenario {
	all := make([]Scenario, 0, len(closings))
	for _, c := range closings {
		all = append(all, Scenario{Name: c.name, Group: c.group, quick: c.quick})
	}
	return all
}

// settle is how long after its last call a scenario's connections are given to
// end.
const settle = 200 * time.Millisecond

// Run plays the scenarios on 127.0.0.1, one after the other, and returns a
// result for each, in order. The error says that the lab cannot run here at
// all, or that ctx is done; what went wrong in a scenario is in its result.
func Run(ctx context.Context, scenarios []Scenario, _ int) ([]Result, error) {
	if err := checkMain(); err != nil {
		return nil, err
	}
	var data windows.WSAData
	if err := windows.WSAStartup(0x202, &data); err != nil {
		return nil, fmt.Errorf("start Winsock: %w", err)
	}
	defer windows.WSACleanup()
	var results []Result
	for i := range scenarios {
		for j := range closings {
			if ctx.Err() == nil && closings[j].name == scenarios[i].Name {
				results = append(results, closings[j].run(ctx))
			}
		}
	}
	return results, ctx.Err()
}

func (c *closing) run(ctx context.Context) Result {
	start := time.Now()
	r, err := c.play()
	if err != nil {
		r = Result{Name: c.name, Group: c.group, Error: err.Error()}
	}
	select {
	case <-ctx.Done():
	case <-time.After(settle):
	}
	r.Start, r.Stop = start, time.Now()
	return r
}
