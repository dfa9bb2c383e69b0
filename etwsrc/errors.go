package etwsrc

import (
	"errors"
	"fmt"
	"io/fs"
)

// The errors of Windows (winerror.h) for which there is something to do.
const (
	codeAccessDenied     = 5
	codeNotEnoughMemory  = 8
	codeBadLength        = 24
	codeInvalidParameter = 87
	codeCallNotThere     = 120
	codeAlreadyExists    = 183
	codeNoResources      = 1450
	codeTimeout          = 1460
	codeNoProvider       = 4200 // ERROR_WMI_GUID_NOT_FOUND
	codeNoSession        = 4201 // ERROR_WMI_INSTANCE_NOT_FOUND
)

// ErrBusy: another closetrace is tracing on this machine.
var ErrBusy = errors.New("another closetrace is tracing on this machine: stop it first")

// explain says what to do about an error of an ETW call. It wraps
// [fs.ErrPermission] and [errors.ErrUnsupported] where they apply, and err.
func explain(what string, code uint32, err error) error {
	switch code {
	case codeAccessDenied:
		return fmt.Errorf("%s: %w: start it from an elevated prompt (Run as administrator): %w", what, fs.ErrPermission, err)
	case codeNoResources, codeNotEnoughMemory:
		return fmt.Errorf("%s: too many ETW sessions run on this machine: stop one (logman query -ets, logman stop NAME -ets): %w", what, err)
	case codeNoProvider:
		return fmt.Errorf("%s: this Windows does not have the provider: %w: %w", what, errors.ErrUnsupported, err)
	case codeNoSession:
		return fmt.Errorf("%s: the session is gone: somebody stopped it (logman stop %s -ets): %w", what, SessionName, err)
	case codeCallNotThere:
		return fmt.Errorf("%s: this system has no event tracing (Wine?): %w: %w", what, errors.ErrUnsupported, err)
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}
