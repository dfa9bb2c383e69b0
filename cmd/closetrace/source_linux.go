package main

import (
	"math/bits"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

var backends = []string{"fentry", "kprobe", "tracepoint"}

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
		NetNS: uint32(t.netns), PID: t.family, Port: t.port, Peer: peer,
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
	if err != nil && t.countingOptional {
		opts.CountOrdinary = false
		source, err = tracer.Open(opts)
	}
	if err != nil {
		return nil, err
	}
	t.meter = newMeter(source, t.box.Helpers())
	if err := t.enter(); err != nil {
		t.meter.close()
		_ = source.Close()
		return nil, err
	}
	return source, nil
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
