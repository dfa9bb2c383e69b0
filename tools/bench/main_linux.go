package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"time"
)

// settings are what a run is made with; the document lists them.
type settings struct {
	closetrace string
	before     string // an older closetrace
	document   string
	picture    string
	folder     string // for the tracers' output
	mode       string
	workers    int
	open       int // connections that stay open and idle
	length     time.Duration
	peerLength time.Duration
	rate       float64 // connections a second, 0: as fast as possible
	rounds     int
	peerRounds int
	ring       int // MiB
	stall      time.Duration
	only       string
	extras     bool
	reserve    *reserve
}

func main() {
	runtime.LockOSThread() // the tracers die with the thread that started them
	err := errors.New("usage: bench run|web|load [flags]; -h lists the flags")
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "run":
			err = runMain(os.Args[2:])
		case "load":
			err = loadMain(os.Args[2:])
		case "web":
			err = webMain(os.Args[2:])
		case "servers":
			err = serversMain(os.Args[2:])
		case "stage":
			err = stageMain()
		case "side":
			err = sideMain(os.Args[2:])
		case "hold":
			err = holdMain(os.Args[2:])
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func runMain(args []string) error {
	var s settings
	set := flag.NewFlagSet("bench run", flag.ExitOnError)
	set.StringVar(&s.closetrace, "closetrace", "build/closetrace", "program to measure")
	set.StringVar(&s.before, "before", "", "an older program, measured in the same rounds")
	set.StringVar(&s.document, "document", "", "Markdown file whose results are replaced")
	set.StringVar(&s.picture, "picture", "", "SVG file to write")
	set.StringVar(&s.folder, "folder", memoryFolder(), "where the tracers write; needs room for 300 MB for each second of a round")
	set.StringVar(&s.mode, "mode", "mixed", "how connections end: graceful, linger0, unread, mixed")
	set.IntVar(&s.workers, "workers", 2, "threads of the generator")
	set.IntVar(&s.open, "open", 0, "idle connections that are open all the time")
	set.DurationVar(&s.length, "length", 30*time.Second, "how long a round takes")
	set.DurationVar(&s.peerLength, "peer-length", 6*time.Second, "how long a round of another tool takes, if that is less")
	set.Float64Var(&s.rate, "rate", 0, "connections a second, 0: as fast as possible")
	set.IntVar(&s.rounds, "rounds", 5, "rounds of closetrace and of none")
	set.IntVar(&s.peerRounds, "peer-rounds", 3, "rounds of the other tools")
	set.IntVar(&s.ring, "ring", 16, "closetrace's ring buffer in MiB")
	set.DurationVar(&s.stall, "stall", 10*time.Second, "how long the reader is stopped in the stall test")
	set.StringVar(&s.only, "only", "", "contenders to measure, a regular expression")
	set.BoolVar(&s.extras, "extras", true, "also: programs, scale, a load that closes nothing, stall")
	if err := set.Parse(args); err != nil {
		return err
	}
	only, err := regexp.Compile(s.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if s.reserve, err = newReserve(s.folder, int64(s.longest().Seconds()*reserveRate)); err != nil {
		return err
	}
	defer s.reserve.Close()
	r := &results{settings: s, machine: machineNow()}
	if err := r.measure(contenders(&s, only)); err != nil {
		return err
	}
	if s.extras {
		if err := errors.Join(r.measureOwners(r.contenders), r.measureExtras()); err != nil {
			return err
		}
	}
	r.machine.loadAfter = loadAverage()
	return r.write()
}

// longest is how long the longest round takes whose output is kept.
func (s *settings) longest() time.Duration {
	longest := s.length
	for _, scale := range scales {
		if s.extras {
			longest = max(longest, scale.length)
		}
	}
	return longest
}

// memoryFolder is a file system in memory, if there is one: what a disk does is not
// what is measured.
func memoryFolder() string {
	const folder = "/dev/shm"
	if info, err := os.Stat(folder); err == nil && info.IsDir() {
		return folder
	}
	return os.TempDir()
}

func loadMain(args []string) error {
	var l load
	set := flag.NewFlagSet("bench load", flag.ExitOnError)
	set.StringVar(&l.Mode, "mode", "mixed", "how connections end: graceful, linger0, unread, mixed; syscalls ends none")
	set.IntVar(&l.Workers, "workers", 2, "threads")
	set.IntVar(&l.Open, "open", 0, "idle connections that are open all the time")
	set.Float64Var(&l.Seconds, "seconds", 10, "how long")
	rate := set.Float64("rate", 0, "connections a second, 0: as fast as possible")
	if err := set.Parse(args); err != nil {
		return err
	}
	return l.serve(*rate)
}
