//go:build linux

package tracer

import (
	"strings"
	"testing"
)

// What copy_did (bpf/maps.h) is told must be the number of programs that will look: one
// too many, and the next event like it is taken for one that was seen already.
func TestCopiesAreThoseThatLook(t *testing.T) {
	env := newEnvironment("", 0)
	if env.types.err != nil {
		t.Skip(env.types.err)
	}
	for _, mode := range env.types.modes() {
		for _, p := range []preemption{{}, {functions: true}, {tracepoints: true}, {true, true}} {
			hooks := withCopies(append(core[:len(core):len(core)], extra[mode]...), p)
			spec, err := specFor(mode, hooks, tiny(), env)
			if err != nil {
				t.Fatal(err)
			}
			var told uint32
			if err := spec.Variables["copies"].Get(&told); err != nil {
				t.Fatal(err)
			}
			for _, program := range []string{"set_state", "send_reset"} { // those that call copy_did
				var look uint32
				for name := range spec.Programs {
					if strings.HasPrefix(name, program) {
						look++
					}
				}
				if told != look {
					t.Errorf("%s, %+v: %d copies of %s are announced, and %d are loaded", mode, p, told, program, look)
				}
			}
		}
	}
}
