package main

import (
	"errors"
	"math/bits"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

var backends = []string{"fentry", "kprobe", "tracepoint", "raw"}

func (s *sourceFlags) btfFlag(set *pflag.FlagSet) {
	set.StringVar(&s.btf, "btf", "", "read the types of this kernel from `FILE`, for one without its own; uses the raw back end")
}

// countsOrdinary: the kernel can count ends with nothing to say.
const countsOrdinary = true

// sendOrdinary makes a trace that counts them send them, or not any more.
func (t *trace) sendOrdinary(send bool) error {
	if source, ok := t.source.(*tracer.Tracer); ok {
		return source.SendOrdinary(send)
	}
	return nil
}

// openSource starts the trace of this host and gives up the privileges that
// only the start needs.
func openSource(t *traceFlags) (model.Source, error) {
	peer, err := t.peers()
	if err != nil {
		return nil, err
	}
	opts := tracer.Options{
		Types: t.btf, NetNS: uint32(t.netns), PID: t.family, Port: t.port, Peer: peer,
		RingSize: t.ringSize << 20, MaxConnections: t.maxConnections, CommandLine: t.commandLine,
		CountOrdinary: t.counting,
	}
	if bits.OnesCount32(t.ringSize) > 1 || t.ringSize > 1024 {
		return nil, usage("--ring-size %d is not a power of two up to 1024", t.ringSize)
	}
	if opts.Mode, err = parseBackend(t.backend); err != nil {
		return nil, err
	}
	if opts.Reader, err = t.reader(); err != nil {
		return nil, err
	}
	source, err := tracer.Open(opts)
	if err != nil && t.countingOptional && !errors.Is(err, tracer.ErrTypesFile) {
		opts.CountOrdinary = false
		source, err = tracer.Open(opts)
	}
	if err != nil {
		return nil, t.wrongTypes(err)
	}
	t.meter = newMeter(source, t.box.Helpers())
	if err := t.enter(); err != nil {
		t.meter.close()
		_ = source.Close()
		return nil, err
	}
	return source, nil
}

// wrongTypes makes err one of the command line if that has named a wrong file.
func (s *sourceFlags) wrongTypes(err error) error {
	if s.btf != "" && errors.Is(err, tracer.ErrTypesFile) {
		return usage("--btf: %w", err)
	}
	return err
}

// options are those for a trace of everything.
func (s *sourceFlags) options() (tracer.Options, error) {
	mode, err := parseBackend(s.backend)
	return tracer.Options{Mode: mode, Types: s.btf}, err
}

// parseBackend returns the mode that --backend names; no name is the best mode that
// works.
func parseBackend(name string) (tracer.Mode, error) {
	if name == "" {
		return "", nil
	}
	mode, err := tracer.ParseMode(name)
	if err != nil {
		return "", usage("--backend: %w", err)
	}
	return mode, nil
}

// unchosen returns the filters that the kernel has not applied; applying the others again
// took a tenth of the time for an end.
func (t *traceFlags) unchosen() choice {
	rest := t.choice
	rest.netns, rest.port = 0, 0
	return rest
}
