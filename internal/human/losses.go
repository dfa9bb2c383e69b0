package human

import (
	"strings"

	"github.com/closetrace/closetrace/model"
)

// Losses says what was lost, each kind by itself.
func Losses(l *model.Losses) string {
	var parts []string
	for _, part := range []struct {
		n    uint64
		what string
	}{
		{l.Ends, "ends lost"},
		{l.Events, "events lost"},
		{l.Less, "ends judged with less"},
		{l.Late, "pieces of late evidence lost"},
	} {
		if part.n > 0 {
			parts = append(parts, Count(part.n)+" "+part.what)
		}
	}
	if len(parts) == 0 {
		return "0 lost"
	}
	return strings.Join(parts, ", ")
}
