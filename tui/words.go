package tui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// The words for the parts of a record. All that came from the system is
// escaped here and nowhere later.

// verdictWord returns glyph and word; a tilde after it says "inferred".
func verdictWord(j *model.Judgement, g *glyphs) string {
	s := g.of(j.Verdict) + " " + j.Verdict.String()
	if j.Confidence == model.Inferred {
		s += "~"
	}
	return s
}

// processName returns the name and "[pid]" of the owner, or of the closer if
// the owner is not known, or two empty strings.
func processName(f *model.Facts) (name, pid string) {
	name, id := f.Process.Name, f.Process.PID
	if name == "" && id == 0 {
		name, id = f.Closer.Name, f.Closer.PID
	}
	if id != 0 {
		pid = "[" + strconv.Itoa(id) + "]"
	}
	return safetext.Escape(name), pid
}

// processWord returns name[pid] in at most width columns.
func processWord(f *model.Facts, width int, g *glyphs) string {
	name, pid := processName(f)
	if name == "" && pid == "" {
		return "-"
	}
	return cutTail(name, pid, width, g.dots)
}

// endpointWord returns address:port in at most width columns; width 0 is no limit.
func endpointWord(e model.Endpoint, width int, g *glyphs) string {
	if !e.Address.IsValid() && e.Port == 0 {
		return "-"
	}
	address := "?"
	if e.Address.IsValid() {
		address = safetext.Escape(e.Address.String()) // a zone is the system's text
	}
	if e.Address.Is6() {
		address = "[" + address + "]"
	}
	port := ":" + strconv.Itoa(int(e.Port))
	if width == 0 {
		return address + port
	}
	return cutTail(address, port, width, g.dots)
}

// placeWord names where the owner runs: pod, container or unit.
func placeWord(f *model.Facts) string {
	switch {
	case f.K8s.Pod.Name != "":
		return safetext.Escape(f.K8s.Namespace.Name + "/" + f.K8s.Pod.Name)
	case f.Container.Name != "":
		return safetext.Escape(f.Container.Name)
	case f.Container.ID != "":
		return safetext.Escape(shortID(f.Container.ID))
	default:
		return safetext.Escape(f.Systemd.Unit)
	}
}

// shortID cuts a container ID to the 12 digits that container tools show.
func shortID(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}

// byWord tells who began to close and who ended it: local/peer.
func byWord(j *model.Judgement) string {
	return j.Initiator.String() + "/" + j.Terminator.String()
}

// bytesWord returns n in at most 7 columns.
func bytesWord(n uint64) string {
	if n < 1000 {
		return strconv.FormatUint(n, 10) + " B"
	}
	value, units := float64(n)/1000, "kMGTPE"
	for value >= 999.5 && len(units) > 1 {
		value, units = value/1000, units[1:]
	}
	precision := 1
	if value >= 99.95 {
		precision = 0
	}
	return strconv.FormatFloat(value, 'f', precision, 64) + " " + units[:1] + "B"
}

// countWord returns n with thousands separated by commas.
func countWord(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// shortCount returns n in at most 5 columns.
func shortCount(n uint64) string {
	switch {
	case n < 100_000:
		return strconv.FormatUint(n, 10)
	case n < 1_000_000:
		return strconv.FormatUint(n/1000, 10) + "k"
	default:
		return strings.ReplaceAll(strings.TrimSuffix(bytesWord(n), "B"), " ", "")
	}
}

// durationWord returns d in at most 7 columns.
func durationWord(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + durationWord(-d)
	case d < time.Microsecond:
		return fmt.Sprintf("%dns", d.Nanoseconds())
	case d < time.Millisecond:
		return fmt.Sprintf("%dus", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 100*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
	}
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

// knownDuration returns d, or "" if it is not known.
func knownDuration(d model.Opt[time.Duration]) string {
	if v, known := d.Get(); known {
		return durationWord(v)
	}
	return ""
}
