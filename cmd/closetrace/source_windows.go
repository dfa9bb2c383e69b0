package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/etwsrc"
	"github.com/closetrace/closetrace/model"
)

var backends = []string{"etw"}

func (*sourceFlags) btfFlag(*pflag.FlagSet) {}

// openSource starts the ETW session. Filters run in this process: ETW can't filter
// connection events by port or process.
func openSource(t *traceFlags) (model.Source, error) {
	if t.backend != "" && t.backend != backends[0] {
		return nil, usage("--backend %q: Windows has only %s", t.backend, backends[0])
	}
	session, err := etwsrc.Open(etwsrc.Options{MaxConnections: int(t.maxConnections)})
	if err != nil {
		return nil, fmt.Errorf("start ETW session: %w", err)
	}
	return session, nil
}

const countsOrdinary = false

func (*trace) sendOrdinary(bool) error { return nil }

func (t *traceFlags) unchosen() choice { return t.choice }
