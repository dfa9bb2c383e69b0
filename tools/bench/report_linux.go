package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine is where and when a run was made.
type machine struct {
	date       string
	kernel     string
	processor  string
	processors int
	memory     uint64
	commit     string
	loadBefore string
	loadAfter  string
}

func machineNow() machine {
	m := machine{date: time.Now().UTC().Format(time.DateOnly), processors: runtime.NumCPU(), loadBefore: loadAverage()}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.kernel = unix.ByteSliceToString(u.Release[:])
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.memory = info.Totalram * uint64(info.Unit)
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, after, _ := strings.Cut(string(text), "model name\t: ")
		m.processor, _, _ = strings.Cut(after, "\n")
	}
	if text, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		m.commit = strings.TrimSpace(string(text))
	}
	return m
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

const (
	resultsBegin = "<!-- results: written by make bench -->"
	resultsEnd   = "<!-- end of results -->"
)

// write prints the results and puts them into the document and the picture.
func (r *results) write() error {
	text := r.markdown()
	fmt.Print(text)
	if r.picture != "" && len(r.rounds) > 0 {
		if err := os.WriteFile(r.picture, r.draw(), 0o644); err != nil {
			return err
		}
	}
	if r.document == "" {
		return nil
	}
	old, err := os.ReadFile(r.document)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(old, []byte(resultsBegin))
	_, after, foundEnd := bytes.Cut(rest, []byte(resultsEnd))
	if !found || !foundEnd {
		return fmt.Errorf("%s has no %s and %s", r.document, resultsBegin, resultsEnd)
	}
	return os.WriteFile(r.document, slices.Concat(before, []byte(resultsBegin+"\n\n"+text+"\n"+resultsEnd), after), 0o644)
}

func (r *results) markdown() string {
	var b strings.Builder
	m := &r.machine
	fmt.Fprintf(&b, "Measured on %s at commit %s: Linux %s, %d × %s, %d GB; load average %s before and %s after.\n",
		m.date, m.commit, m.kernel, m.processors, m.processor, m.memory>>30, m.loadBefore, m.loadAfter)
	fmt.Fprintf(&b, "Generator: mode %s, %d workers, rounds of %v, medians of %d (other tools: %d of %v), ring buffer of %d MiB, output in %s",
		r.mode, r.workers, r.length, r.settings.rounds, r.peerRounds, min(r.length, r.peerLength), r.ring, r.folder)
	if r.open > 0 {
		fmt.Fprintf(&b, ", %d idle connections", r.open)
	}
	b.WriteString(".\n")
	out := bufio.NewWriter(&b)
	r.table(out)
	r.ownersTable(out)
	r.programTable(out)
	r.scaleTable(out)
	r.quietText(out)
	r.stallText(out)
	r.listText(out)
	out.Flush() // a Builder takes everything
	return b.String()
}

func (r *results) table(out *bufio.Writer) {
	out.WriteString("\n| tracer | connections/s | of untraced (lowest–highest) | generator, µs/connection | tracer, µs/end | added, µs/connection | memory, MB | ends reported | lost | unexplained | bytes/end |\n")
	out.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	base := r.rounds[0]
	rate, cpu := median(base, rateOf), median(base, (*round).perConnection)
	for i, rounds := range r.rounds {
		c := &r.contenders[i]
		if len(rounds) == 0 {
			continue
		}
		low, high := spread(rounds, rateOf)
		load := median(rounds, (*round).perConnection)
		fmt.Fprintf(out, "| %s | %.0f | %.2f (%.2f–%.2f) | %.1f |", c.name, median(rounds, rateOf),
			median(rounds, rateOf)/rate, low/rate, high/rate, load)
		if c.command == nil {
			out.WriteString(" | | | | | | |\n")
			continue
		}
		tracer := median(rounds, (*round).perEnd)
		fmt.Fprintf(out, " %.2f | %.1f | %.0f | %s |", tracer, load-cpu+2*tracer,
			median(rounds, func(r *round) float64 { return float64(r.anon) })/1e6, seenWord(rounds, c))
		fmt.Fprintf(out, " %s | %s | %s |\n", lostWord(rounds, c), unexplainedWord(rounds, c), bytesWord(rounds, c))
	}
	for i, rounds := range r.rounds {
		if len(rounds) > 0 && rounds[0].startUp > 0 {
			fmt.Fprintf(out, "\n%s writes its first line %.0f ms after its process was started (median; lowest and highest of %d: %s), with %.0f ms of processor time.\n",
				r.contenders[i].name, median(rounds, startUpOf), len(rounds), spreadWord(rounds, startUpOf),
				median(rounds, func(r *round) float64 { return r.startCPU.Seconds() * 1000 }))
		}
	}
}

func rateOf(r *round) float64    { return r.rate }
func startUpOf(r *round) float64 { return r.startUp.Seconds() * 1000 }

func spreadWord(rounds []round, pick func(*round) float64) string {
	low, high := spread(rounds, pick)
	return fmt.Sprintf("%.0f and %.0f", low, high)
}

// seenWord shows the worst round.
func seenWord(rounds []round, c *contender) string {
	low, _ := spread(rounds, func(r *round) float64 { return r.seen(c) })
	if low == 1 {
		return "all"
	}
	return fmt.Sprintf("%.2f %%", 100*low)
}

// lostWord adds up what the kernel counted as lost in all rounds.
func lostWord(rounds []round, c *contender) string {
	if !c.ours {
		return ""
	}
	var total uint64
	for i := range rounds {
		total += rounds[i].kernel
	}
	return fmt.Sprint(total)
}

// unexplainedWord adds up what is missing and was not reported as lost.
func unexplainedWord(rounds []round, c *contender) string {
	if !c.accounts() {
		return ""
	}
	var total int64
	for i := range rounds {
		total += rounds[i].unexplained(c)
	}
	return fmt.Sprint(total)
}

func bytesWord(rounds []round, c *contender) string {
	if c.terminal || c.discards {
		return ""
	}
	return fmt.Sprintf("%.0f", median(rounds, func(r *round) float64 {
		return float64(r.output.bytes) / float64(max(r.output.ends, 1))
	}))
}
