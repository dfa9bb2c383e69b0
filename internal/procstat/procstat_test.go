package procstat

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	rest := " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
	for _, c := range []struct {
		text string
		want Stat
		ok   bool
	}{
		{"12 (nginx)" + rest, Stat{"nginx", 'S', 1, 23, 4711, true}, true},
		{"12 (a) S 1 (b)" + rest, Stat{"a) S 1 (b", 'S', 1, 23, 4711, true}, true},
		{"12 ()" + rest, Stat{"", 'S', 1, 23, 4711, true}, true},
		{"12 (new\nline)" + rest, Stat{"new\nline", 'S', 1, 23, 4711, true}, true},
		{"12 (nginx) S 1 2 3 4 5 8388608 7 8 9 10 11 12 13 14 15 16 17 18 4711 20", Stat{"nginx", 'S', 1, 23, 4711, false}, true},
		{"12 (nginx) S 1 2", Stat{}, false},
		{"12 nginx" + rest, Stat{}, false},
		{")(", Stat{}, false},
		{"1 2 3" + rest, Stat{}, false},
		{"", Stat{}, false},
	} {
		if got, ok := Parse([]byte(c.text)); ok != c.ok || got != c.want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

func TestOwn(t *testing.T) {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Skip(err)
	}
	s, ok := Parse(text)
	if !ok || s.Parent != os.Getppid() || s.Ended() || s.Start == 0 || s.CPU > 100*60*60 {
		t.Errorf("got %+v, %v", s, ok)
	}
}

func TestEnded(t *testing.T) {
	for state, want := range map[byte]bool{'R': false, 'S': false, 'D': false, 'T': false, 'Z': true, 'X': true, 'x': true} {
		if got := (&Stat{State: state}).Ended(); got != want {
			t.Errorf("%c: got %v", state, got)
		}
	}
}

// FuzzParse: whatever a process calls itself, its name, its parent and its start
// are read as the kernel wrote them (do_task_stat in fs/proc/array.c), and no text
// is taken for a process that has none of the name's parentheses.
func FuzzParse(f *testing.F) {
	f.Add("nginx", byte('S'), uint32(1), uint64(4711), "12 nginx S 1 2")
	f.Add("a) S 666 (b", byte('R'), uint32(7), uint64(1<<63), ")(")
	f.Add("\n) Z 1 1 1\n(", byte('Z'), uint32(0), uint64(0), "1 2 3 4")
	f.Fuzz(func(t *testing.T, name string, state byte, parent uint32, start uint64, other string) {
		if state < 'A' || state > 'z' {
			state = 'S'
		}
		text := fmt.Appendf(nil, "12 (%s) %c %d 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 -2 %d 20 -1\n", name, state, int32(parent), start)
		if got, ok := Parse(text); !ok || got != (Stat{name, state, int(int32(parent)), 25, start, true}) {
			t.Errorf("Parse(%q) = %+v, %v", text, got, ok)
		}
		if _, ok := Parse([]byte(other)); ok && !strings.Contains(other, "(") {
			t.Errorf("%q is taken for a process", other)
		}
	})
}
