package agent

import (
	"regexp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// fullName finds the name in the text of a description, which has no other access.
var fullName = regexp.MustCompile(`fqName: "([^"]+)"`)

// Metrics returns the names of all metrics, for what names them: dashboards and rules.
func Metrics() (names []string) {
	m := newMeter(&Options{MaxSeries: 1})
	all := make(chan *prometheus.Desc, 256)
	m.registry.Describe(all)
	close(all)
	for d := range all {
		if found := fullName.FindStringSubmatch(d.String()); found != nil {
			names = append(names, found[1])
		}
	}
	slices.Sort(names)
	return names
}
