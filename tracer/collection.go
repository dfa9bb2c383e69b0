//go:build linux

package tracer

import (
	"cmp"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
)

// loadTolerant loads the collection; optional programs that the kernel refuses
// are left out.
func loadTolerant(spec *ebpf.CollectionSpec, hooks []hook, env *environment) (*ebpf.Collection, []Missing, error) {
	options := env.types.options()
	if ring := env.madeRing(); ring != nil {
		options.MapReplacements = map[string]*ebpf.Map{"messages": ring}
	}
	var missing []Missing
	for {
		objects, err := newCollection(spec, options)
		if err == nil {
			return objects, missing, nil
		}
		refused := refusedOptional(spec, hooks, env.types)
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

// newCollection loads the programs side by side: most of a trace's start is the verifier,
// which works on as many processors as there are loads.
func newCollection(spec *ebpf.CollectionSpec, options ebpf.CollectionOptions) (_ *ebpf.Collection, err error) {
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
	parts := split(spec, runtime.GOMAXPROCS(0))
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

// partsMax is how many loads are worth beginning: each reads the maps' types again.
const partsMax = 4

// split divides the programs into parts of about the same work for the verifier, which
// follows their length; maps are those of spec.
func split(spec *ebpf.CollectionSpec, processors int) []ebpf.CollectionSpec {
	parts := make([]ebpf.CollectionSpec, max(1, min(processors, partsMax)))
	work := make([]int, len(parts))
	for i := range parts {
		parts[i] = *spec
		parts[i].Variables, parts[i].Programs = nil, map[string]*ebpf.ProgramSpec{}
	}
	longest := func(a, b string) int {
		return cmp.Or(len(spec.Programs[b].Instructions)-len(spec.Programs[a].Instructions), cmp.Compare(a, b))
	}
	for _, name := range slices.SortedFunc(maps.Keys(spec.Programs), longest) {
		least := slices.Index(work, slices.Min(work))
		parts[least].Programs[name] = spec.Programs[name]
		work[least] += len(spec.Programs[name].Instructions)
	}
	return parts
}
