package model

import "strings"

// nearest is how many names a person is offered.
const nearest = 3

// Near returns the names that somebody who wrote name may have meant: those that
// differ from it in a letter or two or in how words are joined, then those that
// contain it.
func Near(name string, names []string) []string {
	var like, containing []string
	name = plain(name)
	for _, candidate := range names {
		other := plain(candidate)
		if d := distance(name, other); d <= 2 && d*3 <= len(name) {
			like = append(like, candidate)
		} else if len(name) > 2 && strings.Contains(other, name) {
			containing = append(containing, candidate)
		}
	}
	if len(like) == 0 {
		like = containing
	}
	return like[:min(len(like), nearest)]
}

func plain(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
}

// distance is that of Damerau and Levenshtein: how many letters to add, remove,
// change, or exchange with the next one.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
