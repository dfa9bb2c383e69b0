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
	s.add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 1200, Where: "ring-buffer"}})
	s.add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 34, Where: "ring-buffer"}})
	s.add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 166_459, Where: "late-evidence"}})
	s.add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 3, Where: "connection-table"}})
	s.add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 2, Where: "hook"}})
	err := s.loss()
	const want = "the recording is incomplete: 1,234 ends lost, 2 events lost, 3 ends judged with less, " +
		"166,459 pieces of late evidence lost; a larger --ring-size helps"
	if exitCode(err) != exitLost || err.Error() != want {
		t.Errorf("exit %d with %v, want %d with %s", exitCode(err), err, exitLost, want)
	}
}
