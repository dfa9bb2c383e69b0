//go:build !linux && !windows

package main

import (
	"errors"
	"fmt"

	"github.com/closetrace/closetrace/model"
)

var backends = []string{"none"}

func openSource(*traceFlags) (model.Source, error) {
	return nil, fmt.Errorf("live traces need Linux or Windows; closetrace replay reads recordings here: %w", errors.ErrUnsupported)
}

func (t *traceFlags) unchosen() choice { return t.choice }
