package findings

import (
	"slices"

	"github.com/closetrace/closetrace/model"
)

// Pattern is one line of the table of what the engine looks for.
type Pattern struct {
	// Name is the id of the findings.
	Name string
	// Title names it in a few words.
	Title string
	// When is the condition, Evidence what the records must have for it, Advice what
	// to change, and Alike what looks the same and is something else.
	When, Evidence, Advice, Alike string
	// Confidence says when a finding is certain.
	Confidence string
	Harm       Harm
	// Filter selects its ends, apart from process, port and peer.
	Filter string

	// match is the condition on one connection. The first pattern that has it takes it;
	// a partial one only counts it.
	match   func(*match) bool
	causes  causes // of the ends that it may have; 0 is any
	partial bool
	weak    bool // a stray reset or a crowd at one moment says more of what it takes
	locked  bool // firewall-reject of attempts that were given up
	// byPeer: one finding for each peer, not only for each process and port.
	byPeer bool
	// least is how many make a finding; 0 is one.
	least uint64
	// say makes the finding of a group; false if it is not a finding after all.
	say func(*Engine, *group, *Finding) bool
}

// causes is a set of causes: most patterns need not be tried on most ends.
type causes uint64

func only(list ...model.Cause) (set causes) {
	for _, c := range list {
		set |= 1 << c
	}
	return set
}

func (s causes) has(c model.Cause) bool { return s == 0 || s>>c&1 != 0 }

// Patterns returns the table in the order in which it is tried.
func Patterns() []Pattern { return slices.Clone(patterns) }

// PatternOf returns the pattern of that name.
func PatternOf(name string) (Pattern, bool) {
	for i := range patterns {
		if patterns[i].Name == name {
			return patterns[i], true
		}
	}
	return Pattern{}, false
}

// Names returns the ids of findings in the order of the table.
func Names() (list []string) {
	for i := range patterns {
		if !slices.Contains(list, patterns[i].Name) {
			list = append(list, patterns[i].Name)
		}
	}
	return list
}
