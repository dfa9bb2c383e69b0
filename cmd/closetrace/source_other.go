//go:build !linux && !windows

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/model"
)

var backends = []string{"none"}

func (*sourceFlags) btfFlag(*pflag.FlagSet) {}

func openSource(*traceFlags) (model.Source, error) {
	return nil, fmt.Errorf("live traces need Linux or Windows; closetrace replay reads recordings here: %w", errors.ErrUnsupported)
}

const countsOrdinary = false

func (*trace) sendOrdinary(bool) error { return nil }

func (t *traceFlags) unchosen() choice { return t.choice }
