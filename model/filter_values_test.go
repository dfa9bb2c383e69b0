package model

import (
	"strings"
	"testing"
)

// TestFilterValues: a verdict or a cause that does not exist is an error with what may
// have been meant.
func TestFilterValues(t *testing.T) {
	for expression, want := range map[string]string{
		`verdict == "abortiv"`:                     `"abortiv" is no verdict; there is abortive`,
		`verdict == "rude"`:                        `"rude" is no verdict; there is unknown, graceful, abortive`,
		`"peer_reset" != cause`:                    `"peer_reset" is no cause; there is peer-reset`,
		`cause in ["fin", "unread"]`:               `"unread" is no cause`,
		`verdict == "abortive" && cause == "fin"`:  "",
		`cause in ["fin", "peer-reset"] || !false`: "",
		`process.name == "abortiv"`:                "",
	} {
		switch _, err := CompileFilter(expression); {
		case want == "" && err != nil:
			t.Errorf("%s: %v", expression, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", expression, err, want)
		}
	}
}
