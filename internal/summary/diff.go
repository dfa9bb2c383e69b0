package summary

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// Hint says whether a difference is more than chance makes.
type Hint string

// The hints. They come from a two-proportion z-test of the shares in all
// teardowns, with the stricter bound because a table has many lines.
const (
	Clear    Hint = "clear"    // |z| >= 3.3: about one in a thousand by chance
	Possible Hint = "possible" // |z| >= 2
	Noise    Hint = "noise"    // as large as chance makes
	Few      Hint = "few"      // too few to tell
)

// Change is one line of a comparison: how often something happened before and
// after.
type Change struct {
	Process string `json:"process,omitzero"`
	Cause   string `json:"cause,omitzero"`
	Verdict string `json:"verdict,omitzero"`
	Before  uint64 `json:"before"`
	After   uint64 `json:"after"`
	// ShareBefore and ShareAfter are of all teardowns.
	ShareBefore float64 `json:"share_before"`
	ShareAfter  float64 `json:"share_after"`
	Hint        Hint    `json:"hint"`
	// Approximate: there were too many names to count this one exactly.
	Approximate bool `json:"approximate,omitzero"`
	z           float64
}

// Comparison is what changed between two summaries.
type Comparison struct {
	Before    *Export  `json:"before"`
	After     *Export  `json:"after"`
	Verdicts  []Change `json:"verdicts"`
	Causes    []Change `json:"causes"`
	Processes []Change `json:"processes"`
	// Whys are by process and cause, graceful ends left out.
	Whys []Change `json:"process_causes"`
	// Caution says why the two can't be compared as they are, or is empty.
	Caution []string `json:"caution,omitempty"`
}

// Compare compares two recordings. Each list begins with the clearest change.
func Compare(before, after *Summary) *Comparison {
	c := &Comparison{Before: before.Export(10), After: after.Export(10), Caution: caution(before, after)}
	n, m := before.Total.Total(), after.Total.Total()
	for v := range before.Total.Verdicts {
		a, b := before.Total.Verdicts[v], after.Total.Verdicts[v]
		c.Verdicts = appendChange(c.Verdicts, Change{Verdict: model.Verdict(v).String(), Before: a, After: b}, n, m)
	}
	for i := range before.Causes {
		a, b := before.Causes[i].Total(), after.Causes[i].Total()
		c.Causes = appendChange(c.Causes, Change{Cause: model.Cause(i).String(), Before: a, After: b}, n, m)
	}
	approximate := before.processes.evicted || after.processes.evicted
	for name, counts := range join(before.processes, after.processes) {
		c.Processes = appendChange(c.Processes, Change{Process: name, Before: counts[0], After: counts[1], Approximate: approximate}, n, m)
	}
	approximate = before.whys.evicted || after.whys.evicted
	for why, counts := range join(before.whys, after.whys) {
		if why.Cause == model.CauseFIN {
			continue
		}
		c.Whys = appendChange(c.Whys, Change{
			Process: why.Process, Cause: why.Cause.String(), Before: counts[0], After: counts[1], Approximate: approximate,
		}, n, m)
	}
	for _, list := range [][]Change{c.Verdicts, c.Causes, c.Processes, c.Whys} {
		slices.SortFunc(list, func(a, b Change) int {
			if x, y := math.Abs(a.z), math.Abs(b.z); x != y {
				return int(math.Copysign(1, y-x))
			}
			return strings.Compare(a.Process+a.Cause+a.Verdict, b.Process+b.Cause+b.Verdict)
		})
	}
	return c
}

// join returns the counts of all keys of two lists.
func join[K comparable](before, after *topK[K]) map[K][2]uint64 {
	m := make(map[K][2]uint64, len(before.heap)+len(after.heap))
	for _, slot := range before.heap {
		m[slot.Key] = [2]uint64{slot.Count, 0}
	}
	for _, slot := range after.heap {
		m[slot.Key] = [2]uint64{m[slot.Key][0], slot.Count}
	}
	return m
}

func appendChange(list []Change, c Change, before, after uint64) []Change {
	if c.Before+c.After == 0 {
		return list
	}
	c.ShareBefore, c.ShareAfter = share(c.Before, before), share(c.After, after)
	c.z = zScore(c.Before, before, c.After, after)
	c.Hint = hint(c.z, c.Before, before, c.After, after)
	return append(list, c)
}

func share(n, total uint64) float64 {
	if total == 0 {
		return 0
	}
	return float64(n) / float64(total)
}

// zScore is that of the pooled two-proportion test; positive where the share grew.
func zScore(a, n, b, m uint64) float64 {
	if n == 0 || m == 0 {
		return 0
	}
	p := float64(a+b) / float64(n+m)
	spread := math.Sqrt(p * (1 - p) * (1/float64(n) + 1/float64(m)))
	if spread == 0 {
		return 0
	}
	return (float64(b)/float64(m) - float64(a)/float64(n)) / spread
}

// hint judges z. The normal approximation needs about five expected on each
// side; below that nothing is claimed.
func hint(z float64, a, n, b, m uint64) Hint {
	expected := float64(a+b) / float64(max(n+m, 1)) * float64(min(n, m))
	switch z = math.Abs(z); {
	case expected < 5:
		return Few
	case z >= 3.3:
		return Clear
	case z >= 2:
		return Possible
	default:
		return Noise
	}
}

// caution lists what differs between the recordings beside their content.
func caution(before, after *Summary) []string {
	var list []string
	a, b := before.Start, after.Start
	differ := func(what, x, y string) {
		if x != y && before.Recordings > 0 && after.Recordings > 0 {
			list = append(list, fmt.Sprintf("%s differs: %q and %q", what, short(x), short(y)))
		}
	}
	differ("filter", a.Filter, b.Filter)
	differ("backend", a.Backend, b.Backend)
	differ("host", a.Host.Name, b.Host.Name)
	if x, y := before.Lost, after.Lost; x.Total()+y.Total() > 0 {
		list = append(list, fmt.Sprintf("losses: before %s; after %s", human.Losses(&x), human.Losses(&y)))
	}
	return list
}
