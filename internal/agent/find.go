package agent

import (
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// finder reports a finding when it appears, and again while it grows.
type finder struct {
	engine *findings.Engine
	began  time.Time
	told   map[findings.Identity]*told
}

// told is a finding of which a record was sent.
type told struct {
	count uint64 // connections, when it was last looked at
	at    time.Time
	said  uint64 // count when it was last sent
}

// news is a finding to report, and how many connections are new in it.
type news struct {
	findings.Finding
	more uint64
	tell bool
}

func newFinder() finder {
	return finder{engine: findings.New(), told: map[findings.Identity]*told{}, began: time.Now()}
}

// look returns what has changed. After an hour it begins anew, so that a finding's
// numbers are those of its own time.
func (f *finder) look(now time.Time) (list []news) {
	f.engine.Advance(model.TimeOf(now))
	report := f.engine.Report()
	for i := range report.Findings {
		found := &report.Findings[i]
		key := found.Identity()
		known := f.told[key]
		if known == nil {
			known = &told{}
			f.told[key] = known
		}
		n := news{Finding: *found, more: found.Count - min(found.Count, known.count)}
		n.tell = found.Count > known.said && (known.said == 0 || now.Sub(known.at) >= remindAfter)
		if known.count = found.Count; n.tell {
			known.said, known.at = found.Count, now
		}
		if n.more > 0 || n.tell {
			list = append(list, n)
		}
	}
	if now.Sub(f.began) >= forgetAfter {
		*f = newFinder()
	}
	return list
}
