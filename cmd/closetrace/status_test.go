package main

import (
	"testing"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
)

// TestLossIsAnExitCode: a service can recognise an incomplete recording.
func TestLossIsAnExitCode(t *testing.T) {
	s := status{ended: new(ledger.Ends)}
	if err := s.loss(); exitCode(err) != exitOK {
		t.Errorf("nothing lost: %v", err)
	}
	s.add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 1200}})
	s.add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 34}})
	err := s.loss()
	const want = "lost 1,234 events: the recording lacks them, or judges them with less; a larger --ring-size helps"
	if exitCode(err) != exitLost || err.Error() != want {
		t.Errorf("exit %d with %v, want %d with %s", exitCode(err), err, exitLost, want)
	}
}
