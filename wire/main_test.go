package wire_test

import (
	"os"
	"testing"

	"github.com/closetrace/closetrace/internal/lab"
)

func TestMain(m *testing.M) {
	lab.Main()
	os.Exit(m.Run())
}
