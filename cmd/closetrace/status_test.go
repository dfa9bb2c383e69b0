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
		"166,459 pieces of late evidence lost; larger --ring-size and --max-connections help"
	if exitCode(err) != exitLost || err.Error() != want {
		t.Errorf("exit %d with %v, want %d with %s", exitCode(err), err, exitLost, want)
	}
}

// TestLossHelp: what is larger helps only against what it was too small for.
func TestLossHelp(t *testing.T) {
	for where, want := range map[string]string{
		"ring-buffer": "1 ends lost; a larger --ring-size helps", "late-evidence": "1 pieces of late evidence lost; a larger --ring-size helps",
		"connection-table": "1 ends judged with less; a larger --max-connections helps", "hook": "1 events lost",
	} {
		s := status{ended: new(ledger.Ends)}
		s.add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 1, Where: where}})
		if err := s.loss(); err == nil || err.Error() != "the recording is incomplete: "+want {
			t.Errorf("%s: %v", where, err)
		}
	}
}
