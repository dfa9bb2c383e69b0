//go:build linux

package tracer

import (
	"errors"
	"maps"
	"sync"

	"github.com/cilium/ebpf"
)

// loadTolerant loads the collection; optional programs that the kernel refuses
// are left out.
func loadTolerant(spec *ebpf.CollectionSpec, hooks []hook, types *types) (*ebpf.Collection, []Missing, error) {
	var missing []Missing
	for {
		objects, err := newCollection(spec, hooks, types.options())
		if err == nil {
			return objects, missing, nil
		}
		refused := refusedOptional(spec, hooks, types)
		if refused == nil {
			return nil, nil, err
		}
		missing = append(missing, refused...)
	}
}

// refusedOptional loads the optional programs one by one and removes from spec
// those that fail; it returns nothing if all load.
func refusedOptional(spec *ebpf.CollectionSpec, hooks []hook, types *types) []Missing {
	var refused []Missing
	for _, h := range hooks {
		if !h.optional || spec.Programs[h.program] == nil {
			continue
		}
		alone := spec.Copy()
		for name := range alone.Programs {
			if name != h.program {
				delete(alone.Programs, name)
			}
		}
		objects, err := ebpf.NewCollectionWithOptions(alone, types.options())
		if err == nil {
			objects.Close()
			continue
		}
		delete(spec.Programs, h.program)
		refused = append(refused, Missing{h.program, err})
	}
	return refused
}

// newCollection loads the copies of programs beside the others: most of a trace's start is
// the verifier, which is the same work for a copy, and runs on several processors.
func newCollection(spec *ebpf.CollectionSpec, hooks []hook, options ebpf.CollectionOptions) (_ *ebpf.Collection, err error) {
	all := &ebpf.Collection{Programs: map[string]*ebpf.Program{}}
	shared := *spec
	shared.Programs = nil
	base, err := ebpf.NewCollectionWithOptions(&shared, options)
	if err != nil {
		return nil, err
	}
	all.Maps, all.Variables = base.Maps, base.Variables
	defer func() {
		if err != nil {
			all.Close()
		}
	}()
	options.MapReplacements = all.Maps
	parts := halves(spec, hooks)
	loaded, errs := make([]*ebpf.Collection, len(parts)), make([]error, len(parts))
	var group sync.WaitGroup
	for i := range parts {
		group.Go(func() { loaded[i], errs[i] = ebpf.NewCollectionWithOptions(&parts[i], options) })
	}
	group.Wait()
	for _, part := range loaded {
		if part == nil {
			continue
		}
		maps.Copy(all.Programs, part.Programs)
		part.Programs = nil
		part.Close() // other descriptors of the same maps
	}
	return all, errors.Join(errs...)
}

// halves are the programs that are no copies, and the copies; maps are those of spec.
func halves(spec *ebpf.CollectionSpec, hooks []hook) []ebpf.CollectionSpec {
	first, copies := *spec, *spec
	first.Variables, copies.Variables = nil, nil
	first.Programs, copies.Programs = maps.Clone(spec.Programs), map[string]*ebpf.ProgramSpec{}
	for _, h := range hooks {
		if program := first.Programs[h.program]; h.copyOf != "" && program != nil {
			copies.Programs[h.program] = program
			delete(first.Programs, h.program)
		}
	}
	if len(copies.Programs) == 0 {
		return []ebpf.CollectionSpec{first}
	}
	return []ebpf.CollectionSpec{first, copies}
}
