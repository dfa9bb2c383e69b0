package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"

	"golang.org/x/sys/unix"
)

// named is how many ends of each scenario a tracer gave the right owner: of the
// client's side and of the server's.
type named struct {
	tool  string
	right [][2]int
}

// ownerLine is the name before the two addresses: so far the tools agree.
var ownerLine = regexp.MustCompile(`(\S+)\s+127\.[\d.]+[:\s]+(\d+)\s+127\.[\d.]+[:\s]+(\d+)`)

// measureOwners holds closetrace and what else names a process to the two
// processes of the scenarios.
func (r *results) measureOwners(all []contender) error {
	for i := range all {
		c := &all[i]
		if c.command == nil || c.packets || c.inside || c.terminal || c.discards || c.ours && c.extension != ".jsonl" || c.counts {
			continue
		}
		one, err := r.owners(c)
		if err != nil && c.ours {
			return fmt.Errorf("owners, %s: %w", c.name, err)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "owners, %s is left out: %v\n", c.name, err)
			continue
		}
		r.named = append(r.named, one)
	}
	return nil
}

func (s *settings) owners(c *contender) (n named, err error) {
	self, err := os.Executable()
	if err != nil {
		return n, err
	}
	stage, err := startHelper(exec.Command(self, "stage"), unix.CLONE_NEWNET)
	if err != nil {
		return n, err
	}
	t, err := c.begin(s, stage.process.Process.Pid)
	if err != nil {
		return n, err
	}
	defer os.Remove(t.path)
	if _, err := stage.run(); err != nil {
		return n, err
	}
	if _, err := t.finish(); err != nil {
		return n, err
	}
	if err := stage.Close(); err != nil {
		return n, err
	}
	n.tool = c.name
	n.right, err = countNamed(t.path, c)
	return n, err
}

// countNamed reads the tracer's output.
func countNamed(path string, c *contender) ([][2]int, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	right := make([][2]int, len(scenarios))
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !hasAll(lines.Bytes(), c.marks) {
			continue
		}
		name, local, peer := ownerOf(lines.Bytes(), c.ours)
		for i := range scenarios {
			switch {
			case local == sidesPort+i && name == "psrv":
				right[i][1]++
			case peer == sidesPort+i && name == "pcli":
				right[i][0]++
			}
		}
	}
	return right, lines.Err()
}

func ownerOf(line []byte, ours bool) (name string, local, peer int) {
	if ours {
		var end struct {
			Process struct{ Name string }
			Network struct{ Local, Peer struct{ Port int } }
		}
		if json.Unmarshal(line, &end) != nil {
			return "", 0, 0
		}
		return end.Process.Name, end.Network.Local.Port, end.Network.Peer.Port
	}
	found := ownerLine.FindSubmatch(line)
	if found == nil {
		return "", 0, 0
	}
	local, _ = strconv.Atoi(string(found[2])) // digits
	peer, _ = strconv.Atoi(string(found[3]))
	return string(found[1]), local, peer
}

func (r *results) ownersTable(out *bufio.Writer) {
	if len(r.named) == 0 {
		return
	}
	out.WriteString("\nEnds with the right owner, in percent of those there were: the client's side / the server's.\n\n| scenario |")
	for i := range r.named {
		fmt.Fprintf(out, " %s |", r.named[i].tool)
	}
	out.WriteString("\n|---|")
	for range r.named {
		out.WriteString("--:|")
	}
	for i := range scenarios {
		fmt.Fprintf(out, "\n| %s, %d |", scenarios[i].name, scenarios[i].count)
		for j := range r.named {
			right := r.named[j].right[i]
			fmt.Fprintf(out, " %s / %s |", percent(right[0], scenarios[i].count), percent(right[1], scenarios[i].count))
		}
	}
	out.WriteString("\n")
}

// percent rounds down: 100 is all of them.
func percent(part, whole int) string { return strconv.Itoa(100 * part / whole) }
