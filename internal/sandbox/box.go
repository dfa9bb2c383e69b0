package sandbox

import "errors"

// Options configures a [Box]. The zero value is the strictest.
type Options struct {
	// User is who the process becomes, by name or number; empty is who called sudo, or a
	// number that is nobody else's.
	User string
	// Off leaves user, files and system calls as they are; capabilities go all the same.
	Off bool
	// Network lets sockets be made, for a service that exports what it traces.
	Network bool
	// Read and Write are more files and folders than those of every trace.
	Read, Write []string
}

// Box is what is left to a process after Enter. Folders and readers are asked for
// before, and used after it.
type Box struct {
	options Options
	who     Identity
	given   bool     // somebody was named, by the option or by sudo
	folders []string // that the process itself may write
	helpers []*helper
	entered bool
}

// New returns a box; nothing has changed yet.
func New(o Options) (*Box, error) {
	who, err := unprivileged(o.User)
	if err != nil {
		return nil, err
	}
	_, invoked := Invoker()
	return &Box{options: o, who: who, given: o.User != "" || invoked}, nil
}

// Who is the user that the process becomes.
func (b *Box) Who() Identity { return b.who }

// Helpers are the processes that do the rest, by PID.
func (b *Box) Helpers() (pids []int) {
	for _, h := range b.helpers {
		pids = append(pids, h.pid())
	}
	return pids
}

// Close ends the helpers.
func (b *Box) Close() error {
	var errs []error
	for _, h := range b.helpers {
		errs = append(errs, h.close())
	}
	b.helpers = nil
	return errors.Join(errs...)
}
