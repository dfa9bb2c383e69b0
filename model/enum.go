package model

import (
	"fmt"
	"strings"
)

// enumName returns the name of v in names, which is indexed by value. A value
// outside of the table prints as its number, so that a bug is seen.
func enumName[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("%d", v)
}

// enumValue is the inverse of enumName; what names the enumeration in errors.
func enumValue[T ~uint8](names []string, what string, text []byte) (T, error) {
	for i, name := range names {
		if name == string(text) {
			return T(i), nil
		}
	}
	switch meant := Near(string(text), names); {
	case len(meant) > 0:
		return 0, fmt.Errorf("unknown %s %q: did you mean %s?", what, text, strings.Join(meant, " or "))
	case len(names) <= fewNames:
		return 0, fmt.Errorf("unknown %s %q: want %s", what, text, strings.Join(names, ", "))
	default:
		return 0, fmt.Errorf("unknown %s %q", what, text)
	}
}

// fewNames fit into a line of an error.
const fewNames = 15
