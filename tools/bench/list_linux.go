package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"time"
)

const (
	listPairs  = 2500 // connections: two sockets each
	listRounds = 9
)

// listing is how long a program takes that lists the open connections.
type listing struct {
	name  string
	lines int
	took  []time.Duration
}

func (l *listing) median() time.Duration {
	slices.Sort(l.took)
	return l.took[len(l.took)/2]
}

// measureLists runs closetrace list and ss in turn on the same connections.
func (r *results) measureLists() error {
	if !installed("ss") {
		return nil
	}
	s := r.settings
	s.open = listPairs
	g, err := s.startGenerator()
	if err != nil {
		return err
	}
	defer g.Close()
	commands := [][]string{{s.closetrace, "list", "--all"}, {"ss", "-tanpoie"}}
	r.lists = []listing{{name: "closetrace list --all"}, {name: "ss -tanpoie"}}
	inside := []string{"nsenter", "--net=/proc/" + strconv.Itoa(g.process.Process.Pid) + "/ns/net"}
	for range listRounds {
		for i, command := range commands {
			c := exec.Command(inside[0], slices.Concat(inside[1:], command)...)
			began := time.Now()
			text, err := c.Output()
			if err != nil {
				return fmt.Errorf("%s: %w", r.lists[i].name, err)
			}
			r.lists[i].took = append(r.lists[i].took, time.Since(began))
			r.lists[i].lines = bytes.Count(text, []byte("\n"))
		}
	}
	return nil
}

func (r *results) listText(out *bufio.Writer) {
	if len(r.lists) < 2 {
		return
	}
	own, other := &r.lists[0], &r.lists[1]
	mine, theirs := own.median(), other.median()
	fmt.Fprintf(out, "\n%d sockets listed: %s takes %.0f ms (%.0f to %.0f), %s %.0f ms (%.0f to %.0f), medians of %d in turn: %.2f of its time. They print %d and %d lines.\n",
		2*listPairs, own.name, ms(mine), ms(own.took[0]), ms(own.took[listRounds-1]),
		other.name, ms(theirs), ms(other.took[0]), ms(other.took[listRounds-1]),
		listRounds, mine.Seconds()/theirs.Seconds(), own.lines, other.lines)
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }
