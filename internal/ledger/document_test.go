package ledger_test

import (
	"os"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/ledger"
)

// TestDocument: docs/record.md says how many ends are remembered.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/record.md")
	if err != nil {
		t.Skip(err) // in a guest
	}
	if want := "among the last " + human.Count(ledger.Remembered) + " ends with its verdict"; !strings.Contains(strings.ReplaceAll(string(text), "\n", " "), want) {
		t.Errorf("docs/record.md does not say %q", want)
	}
}
