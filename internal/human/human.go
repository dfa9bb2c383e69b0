package human

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// Unknown stands for an endpoint or a process of which nothing is known.
const Unknown = "-"

// Bytes returns n in units of 1000 with three digits, in at most 7 columns:
// "999 B", "1.23 kB", "12.3 MB".
func Bytes(n uint64) string {
	if n < 1000 {
		return strconv.FormatUint(n, 10) + " B"
	}
	value, units := float64(n)/1000, "kMGTPE"
	for value >= 999.5 && len(units) > 1 {
		value, units = value/1000, units[1:]
	}
	return threeDigits(value) + " " + units[:1] + "B"
}

// Count returns n with commas between thousands.
func Count[T int | int64 | uint64](n T) string {
	s := strconv.FormatUint(uint64(max(n, 0)), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Many is a count with its noun: 1 end, 2 ends.
func Many[T int | int64 | uint64](n T, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Count(n) + " " + noun
}

// ShortCount returns n in at most 5 columns: "99999", "123k", "1.23M".
func ShortCount(n uint64) string {
	switch {
	case n < 100_000:
		return strconv.FormatUint(n, 10)
	case n < 1_000_000:
		return strconv.FormatUint(n/1000, 10) + "k"
	default:
		return strings.ReplaceAll(strings.TrimSuffix(Bytes(n), "B"), " ", "")
	}
}

// Duration returns d with three digits, or its two largest units from a minute
// on, in at most 7 columns: "39.4us", "5s", "3m05s", "2h05m", "4d04h".
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Duration(-max(d, -math.MaxInt64)) // -math.MinInt64 is itself
	case d < time.Microsecond:
		return strconv.FormatInt(int64(d), 10) + "ns"
	case d < time.Minute-50*time.Millisecond: // what rounds to 60s is 1m00s
		value, units := float64(d)/1e3, []string{"us", "ms", "s"}
		for value >= 999.5 && len(units) > 1 {
			value, units = value/1000, units[1:]
		}
		return threeDigits(value) + units[0]
	}
	switch seconds := int64(d.Round(time.Second) / time.Second); {
	case seconds < 60*60:
		return fmt.Sprintf("%dm%02ds", seconds/60, seconds%60)
	case seconds < 100*60*60:
		return fmt.Sprintf("%dh%02dm", seconds/3600, seconds/60%60)
	case seconds < 1000*24*60*60:
		return fmt.Sprintf("%dd%02dh", seconds/86400, seconds/3600%24)
	default:
		return strconv.FormatInt(seconds/86400, 10) + "d"
	}
}

// threeDigits returns a value below 1000 with three digits, without zeros at its end.
func threeDigits(value float64) string {
	precision := 2
	switch {
	case value >= 99.95:
		precision = 0
	case value >= 9.995:
		precision = 1
	}
	s := strconv.FormatFloat(value, 'f', precision, 64)
	if precision > 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// Percent returns part of whole without a percent sign: "12.3", "<0.1", and ""
// of nothing.
func Percent(part, whole float64) string {
	switch share := 100 * part / whole; {
	case whole == 0:
		return ""
	case share < 0.1 && part > 0:
		return "<0.1"
	default:
		return strconv.FormatFloat(share, 'f', 1, 64)
	}
}

// Rate returns how many a second with three digits: "<0.01", "0.25", "12,345".
func Rate(perSecond float64) string {
	switch {
	case perSecond >= 99.95:
		return Count(uint64(perSecond + .5))
	case perSecond > 0 && perSecond < .01:
		return "<0.01"
	default:
		return threeDigits(perSecond)
	}
}

// Known returns what write makes of a value, "" if it is not known.
func Known[T comparable](o model.Opt[T], write func(T) string) string {
	if v, known := o.Get(); known {
		return write(v)
	}
	return ""
}

// Linger returns SO_LINGER: "off", "on, 3 s", or "" if it is not known.
func Linger(l *model.Linger) string {
	on, known := l.On.Get()
	seconds, timed := l.Seconds.Get()
	switch {
	case !known:
		return ""
	case !on:
		return "off"
	case !timed:
		return "on, time not known"
	case seconds < 0:
		return "on, without limit"
	}
	return fmt.Sprintf("on, %d s", seconds)
}

// Endpoint returns address:port, made safe for a terminal: a zone is the
// system's text.
func Endpoint(e model.Endpoint) string {
	address, port := EndpointParts(e)
	return address + port
}

// EndpointParts returns the address and ":port", for those who cut the former.
func EndpointParts(e model.Endpoint) (address, port string) {
	switch {
	case !e.Address.IsValid() && e.Port == 0:
		return Unknown, ""
	case !e.Address.IsValid():
		address = "?"
	case e.Address.Is6():
		address = "[" + safetext.Escape(e.Address.String()) + "]"
	default:
		address = e.Address.String()
	}
	return address, ":" + strconv.Itoa(int(e.Port))
}

// Process returns name[pid], made safe for a terminal.
func Process(name string, pid int) string {
	name, suffix := ProcessParts(name, pid)
	if name+suffix == "" {
		return Unknown
	}
	return name + suffix
}

// ProcessParts returns the name made safe and "[pid]", for those who cut the former.
func ProcessParts(name string, pid int) (safe, suffix string) {
	if pid != 0 {
		suffix = "[" + strconv.Itoa(pid) + "]"
	}
	return safetext.Escape(name), suffix
}
