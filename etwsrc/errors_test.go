package etwsrc

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

func TestErrorsSayWhatToDo(t *testing.T) {
	tests := []struct {
		code   uint32
		enable bool
		is     error
		text   string
	}{
		{codeAccessDenied, false, fs.ErrPermission, "Run as administrator"},
		{codeNoResources, false, errno(codeNoResources), "room for 64"},
		{codeNotEnoughMemory, false, errno(codeNotEnoughMemory), "memory"},
		{codeNoSession, false, errno(codeNoSession), "somebody stopped it"},
		{codeCallNotThere, false, errors.ErrUnsupported, "Wine"},
		{24, false, errno(24), "start session: "},
		{codeNoResources, true, errno(codeNoResources), "8 sessions have it already"},
		{codeNoProvider, true, errors.ErrUnsupported, "does not have the provider"},
		{codeAccessDenied, true, fs.ErrPermission, "Run as administrator"},
	}
	for _, tt := range tests {
		err := explain("start session", tt.code)
		if tt.enable {
			err = explainEnable(raw.TCPIP, tt.code)
		}
		if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("explain(%d) = %v, want one line with %q that is %v", tt.code, err, tt.text, tt.is)
		}
	}
}
