package etwsrc

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestErrorsSayWhatToDo(t *testing.T) {
	cause := errors.New("cause")
	tests := []struct {
		code uint32
		is   error
		text string
	}{
		{codeAccessDenied, fs.ErrPermission, "Run as administrator"},
		{codeNoResources, cause, "logman stop"},
		{codeNoProvider, errors.ErrUnsupported, "does not have the provider"},
		{codeNoSession, cause, "somebody stopped it"},
		{codeCallNotThere, errors.ErrUnsupported, "Wine"},
		{codeBadLength, cause, "start session: cause"},
	}
	for _, tt := range tests {
		err := explain("start session", tt.code, cause)
		if !errors.Is(err, tt.is) || !errors.Is(err, cause) || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("explain(%d) = %v, want one line with %q that is %v", tt.code, err, tt.text, tt.is)
		}
	}
}
