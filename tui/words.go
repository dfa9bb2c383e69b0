package tui

import (
	"cmp"
	"time"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"

	"github.com/closetrace/closetrace/internal/human"
)

// The words for the parts of a record. All that came from the system is
// escaped here and nowhere later.

// verdictWord returns glyph and word; a tilde after it says "inferred".
func verdictWord(j *model.Judgement, g *glyphs) string {
	return g.of(j.Verdict) + " " + markedVerdict(j)
}

// markedVerdict ends with ~ if the verdict is inferred.
func markedVerdict(j *model.Judgement) string {
	if j.Confidence == model.Inferred {
		return j.Verdict.String() + "~"
	}
	return j.Verdict.String()
}

// processWord returns name[pid] in at most width columns.
func processWord(f *model.Facts, width int, g *glyphs) string {
	number := f.Process.PID
	if number == 0 && f.Process.Name == "" {
		number = f.Closer.PID
	}
	owner, script := ownerName(f)
	name, pid := human.ProcessParts(owner, number)
	if name == "" && pid == "" {
		return human.Unknown
	}
	return titled(name, safetext.Escape(script), pid, width, g)
}

// endpointWord returns address:port in at most width columns; width 0 is no limit.
func endpointWord(e model.Endpoint, width int, g *glyphs) string {
	address, port := human.EndpointParts(e)
	if width == 0 {
		return address + port
	}
	if e.Address.Is6() {
		return cutMiddle(address, port, width, g.dots)
	}
	return cutTail(address, port, width, g.dots)
}

// placeWord names where the owner runs: pod, container, unit or Windows service.
func placeWord(f *model.Facts) string {
	switch name := safetext.Escape(model.PlaceName(&f.K8s, &f.Container)); {
	case name == "":
		return safetext.Escape(cmp.Or(f.Systemd.Unit, f.Process.Service))
	case f.K8s.Pod.Name != "" || f.Container.Name != "":
		return name
	default:
		return claimed(f, name)
	}
}

// claimed marks what only the path of a control group says, if a user could have made
// that path.
func claimed(f *model.Facts, text string) string {
	if text != "" && f.Cgroup.Delegated {
		return text + "~"
	}
	return text
}

// byWord says who began to close and who ended it: local/peer.
func byWord(j *model.Judgement) string {
	return j.Initiator.String() + "/" + j.Terminator.String()
}

// clockWord returns the time of day in zone (nil is UTC) with digits digits
// after the second.
func clockWord(t model.Time, zone *time.Location, digits int) string {
	if t == 0 {
		return "-"
	}
	layout := "15:04:05.000000"[:8]
	if digits > 0 {
		layout = "15:04:05.000000"[:9+digits]
	}
	return inZone(t, zone).Format(layout)
}

func inZone(t model.Time, zone *time.Location) time.Time {
	if zone == nil {
		return t.Go()
	}
	return t.Go().In(zone)
}
