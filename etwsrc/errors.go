package etwsrc

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"syscall"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// The errors of Windows (winerror.h) for which there is something to do.
const (
	codeAccessDenied     = 5
	codeNotEnoughMemory  = 8
	codeInvalidParameter = 87
	codeCallNotThere     = 120
	codeAlreadyExists    = 183
	codeNoResources      = 1450
	codeTimeout          = 1460
	codeNoProvider       = 4200 // ERROR_WMI_GUID_NOT_FOUND
	codeNoSession        = 4201 // ERROR_WMI_INSTANCE_NOT_FOUND
)

// explain says what to do about an error of an ETW call. It wraps
// [fs.ErrPermission] and [errors.ErrUnsupported] where they apply.
func explain(what string, code uint32) error {
	err := error(errno(code))
	switch code {
	case codeAccessDenied:
		return fmt.Errorf("%s: %w: start it from an elevated prompt (Run as administrator): %w", what, fs.ErrPermission, err)
	case codeNoResources:
		return fmt.Errorf("%s: too many ETW sessions run on this machine (Windows has room for 64): stop one (logman query -ets, logman stop NAME -ets): %w", what, err)
	case codeNotEnoughMemory:
		return fmt.Errorf("%s: not enough memory for the session's buffers (16 MB that are never paged): %w", what, err)
	case codeNoSession:
		return fmt.Errorf("%s: the session is gone: somebody stopped it: %w", what, err)
	case codeCallNotThere:
		return fmt.Errorf("%s: this system has no event tracing (Wine?): %w: %w", what, errors.ErrUnsupported, err)
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// explainEnable is explain for a provider, of which a few errors mean another
// thing (EnableTraceEx2, "Return value").
func explainEnable(p raw.Provider, code uint32) error {
	what, err := fmt.Sprintf("enable %v", p), errno(code)
	switch code {
	case codeNoResources:
		return fmt.Errorf("%s: 8 sessions have it already, and Windows allows no more: stop one of them (logman query providers %q names them): %w", what, "{"+p.GUID().String()+"}", err)
	case codeNoProvider:
		return fmt.Errorf("%s: this Windows does not have the provider: %w: %w", what, errors.ErrUnsupported, err)
	default:
		return explain(what, code)
	}
}

// errno is an error number of Windows, also where another system runs the tests.
type errno uint32

// Error implements error.
func (e errno) Error() string {
	if runtime.GOOS == "windows" {
		return syscall.Errno(e).Error()
	}
	return fmt.Sprintf("error %d of Windows", uint32(e))
}
