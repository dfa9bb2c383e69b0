package main

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// request is what the command line of `vmtest run` asks for.
type request struct {
	kernelDir string
	arch      string
	init      string
	memory    string
	timeout   time.Duration
	modules   string
	dmesg     string
	append    string
	verbose   bool
	files     pairs    // host:guest
	get       pairs    // guest:host
	dirs      []string // empty folders to make in the guest
	args      []string
}

func parseRun(args []string) (*request, error) {
	r := &request{}
	set := flag.NewFlagSet("vmtest run", flag.ContinueOnError)
	set.StringVar(&r.kernelDir, "kernel", "", "`folder` of a fetched kernel, or of several: the newest is taken")
	set.StringVar(&r.arch, "arch", runtime.GOARCH, "architecture of the guest: amd64 or arm64")
	set.StringVar(&r.init, "init", "", "a vmtest built for the guest's architecture (default: this program)")
	set.StringVar(&r.memory, "memory", "1G", "memory of the guest")
	set.DurationVar(&r.timeout, "timeout", 0, "limit of the whole machine (default: the test's own limit and 30s)")
	set.StringVar(&r.modules, "modules", defaultModules, "comma-separated modules to load where the kernel has them")
	set.StringVar(&r.dmesg, "dmesg", "fail", "a warning, BUG or oops in the kernel's log: fail, show or ignore")
	set.StringVar(&r.append, "append", "", "more words for the kernel's command line")
	set.BoolVar(&r.verbose, "v", false, "say on standard error what is done and how long it takes")
	set.Var(&r.files, "file", "`host:guest` file or folder to put into the guest; may be repeated")
	set.Var(&r.get, "get", "`guest:host` file or folder to fetch from the guest afterwards; may be repeated")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	r.args = set.Args()
	if err := r.check(); err != nil {
		return nil, err
	}
	r.adoptTestFlags()
	return r, nil
}

func (r *request) check() error {
	switch {
	case r.kernelDir == "":
		return errors.New("-kernel is missing")
	case len(r.args) == 0:
		return errors.New("name the binary to run")
	case r.dmesg != "fail" && r.dmesg != "show" && r.dmesg != "ignore":
		return fmt.Errorf("-dmesg=%s: want fail, show or ignore", r.dmesg)
	}
	return nil
}

// adoptTestFlags heeds what go test passes to the test binary and what concerns the
// host too: the time limit, and where coverage goes.
func (r *request) adoptTestFlags() {
	limit := 10 * time.Minute
	for _, arg := range r.args[1:] {
		name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch name {
		case "test.timeout":
			// Zero means none: the default stays as the machine's limit.
			if d, err := time.ParseDuration(value); err == nil && d > 0 {
				limit = d
			}
		case "test.coverprofile":
			r.get = append(r.get, [2]string{value, value})
		case "test.gocoverdir":
			r.dirs = append(r.dirs, value)
		}
	}
	if r.timeout == 0 {
		// The test reports its own timeout best, so it comes first.
		r.timeout = limit + 30*time.Second
	}
}

// pairs is a flag that may be repeated: FROM:TO.
type pairs [][2]string

func (p *pairs) String() string { return fmt.Sprint([][2]string(*p)) }

func (p *pairs) Set(s string) error {
	from, to, ok := strings.Cut(s, ":")
	if !ok || from == "" || to == "" {
		return errors.New("want FROM:TO")
	}
	*p = append(*p, [2]string{from, to})
	return nil
}
