package tui

import (
	"encoding/json"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// unsaid returns the members of t for which the story has no words, under the names that
// recordings use: a field added to [model.TCP] is shown without a change here.
func unsaid(t model.TCP) (list [][2]string) {
	t.Role, t.Path, t.Error, t.FIN, t.RST = 0, model.Path{}, "", model.FIN{}, model.RST{}
	t.Bytes = model.Bytes{Retransmitted: t.Bytes.Retransmitted}
	t.Retransmits, t.SRTT, t.TimeWait = model.Opt[uint32]{}, model.Opt[time.Duration]{}, model.Opt[bool]{}
	for _, member := range factsOf(&t) {
		name, value := member[0], member[1]
		var below map[string]json.RawMessage
		if json.Unmarshal([]byte(value), &below) != nil {
			list = append(list, spoken(name, value))
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(below)) {
			list = append(list, spoken(name+"."+key, string(below[key])))
		}
	}
	return list
}

// spoken returns a member with its unit beside the value, not in the name.
func spoken(name, value string) [2]string {
	if nanoseconds, isDuration := strings.CutSuffix(name, "_ns"); isDuration {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			return [2]string{nanoseconds, human.Duration(time.Duration(n))}
		}
	}
	return [2]string{strings.TrimSuffix(name, "_time"), strings.Trim(value, `"`)}
}

// factsOf returns the members of a part of the model, under the names that recordings
// use: a field added to [model.Evidence], for example, is shown without a change here.
func factsOf(e any) [][2]string {
	data, err := json.Marshal(e)
	if err != nil {
		return [][2]string{{"facts", safetext.Escape(err.Error())}}
	}
	var facts map[string]json.RawMessage
	if err := json.Unmarshal(data, &facts); err != nil {
		return [][2]string{{"facts", safetext.Escape(err.Error())}}
	}
	out := make([][2]string, 0, len(facts))
	for name, value := range facts {
		out = append(out, [2]string{name, safetext.Escape(string(value))})
	}
	sort.Slice(out, func(i, j int) bool { return out[i][0] < out[j][0] })
	return out
}
