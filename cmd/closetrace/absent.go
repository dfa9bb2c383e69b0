package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// absent reports a process name and a network namespace that nothing here has: what was
// chosen may come later, or is misspelt. What can't be seen is not reported as absent.
func (t *terms) absent() (told []string) {
	if t.process != "" {
		names := processNames()
		if text := absentName(t.process, names); len(names) > 0 && text != "" {
			told = append(told, text)
		}
	}
	if t.netns != 0 {
		there := netnsThere()
		if _, is := there[uint32(t.netns)]; !is && len(there) > 0 {
			told = append(told, fmt.Sprintf("--netns %d: no such network namespace is seen yet; there is %s", t.netns, netnsList(there)))
		}
	}
	return told
}

// absentName says that no process has a name, "" if one has.
func absentName(name string, names []string) string {
	if slices.Contains(names, name) {
		return ""
	}
	text := fmt.Sprintf("--process %q: no process has this name yet", name)
	switch meant := model.Near(name, names); {
	case len(name) > nameRoom:
		return text + fmt.Sprintf(", and none can: the kernel keeps %d bytes of it, --process %q", nameRoom, name[:nameRoom])
	case len(meant) > 0:
		return text + "; did you mean " + safetext.Escape(strings.Join(meant, " or ")) + "?"
	default:
		return text
	}
}

// nameRoom is what Linux keeps of the name of a process.
const nameRoom = 15

// manyNetNS is how many network namespaces are named; lsns -t net lists all.
const manyNetNS = 6

func netnsList(there map[uint32]string) string {
	var list []string
	for _, number := range slices.Sorted(maps.Keys(there)) {
		if len(list) == manyNetNS {
			return strings.Join(list, ", ") + fmt.Sprintf(" and %d more (lsns -t net)", len(there)-manyNetNS)
		}
		text := strconv.FormatUint(uint64(number), 10)
		if name := there[number]; name != "" {
			text += " (" + safetext.Escape(name) + ")"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// warnAbsent writes what is absent, and keeps it for a screen that hides it.
func (t *terms) warnAbsent(out io.Writer) {
	t.warned = t.absent()
	for _, text := range t.warned {
		fmt.Fprintln(out, "closetrace: "+text)
	}
}
