package flow_test

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// line is what tshark says of a packet.
type line struct {
	stream, source string
	fin, rst, syn  bool
	next           uint64 // the number after it, relative to the first
	bare           bool   // it carries nothing
	again          bool   // a retransmission
	complete       int    // tcp.completeness, of the whole stream
	why            []string
}

// difference is a set of what two readers of a capture count differently.
type difference uint8

const (
	ofFIN difference = 1 << iota
	ofRST
	ofBytes
	ofRetransmits
	ofBegin    // the bits of tcp.completeness for SYN, SYN-ACK and ACK
	ofData     // and for data
	everything = ofFIN | ofRST | ofBytes | ofRetransmits | ofBegin | ofData
)

// reason is why two readers of a capture count differently, and which differences it
// explains.
type reason struct {
	explains difference
	text     string
}

// reasons are by tshark's name for them, if it has one.
var reasons = map[string]reason{
	"tcp.analysis.out_of_order":     {ofRetransmits, "segments came in another order: tshark takes some for retransmissions by the round trip, we by 3 ms"},
	"tcp.analysis.lost_segment":     {ofBytes | ofRetransmits | ofBegin, "the capture lacks segments"},
	"tcp.analysis.ack_lost_segment": {ofBytes | ofRetransmits | ofBegin, "the capture lacks segments that were acknowledged"},
	"tcp.analysis.keep_alive":       {ofBytes | ofRetransmits | ofData, "keepalive probes with a byte"},
	"probe first":                   {ofBytes | ofRetransmits | ofData, "a byte without PSH comes first: we take it for a keepalive probe, of whose like tshark knows only later ones"},
	"tcp.analysis.reused_ports":     {everything, "the tuple was used again"},
	"stragglers":                    {everything, "segments after the end"},
	"midway":                        {ofBytes | ofRetransmits | ofBegin, "the begin is not in the capture"},
	"lone":                          {everything, "the begin is not in the capture, and of the first segment after it tshark counts nothing"},
	"odd":                           {everything, "packets that tshark does not take for TCP (fuzzed ones)"},
	"fins":                          {ofFIN | ofBytes | ofRetransmits, "FINs with different numbers"},
	"copies":                        {ofRetransmits, "packets captured twice, with the same IP identification, which tshark takes for retransmissions"},
	"ahead":                         {ofRetransmits, "a forged RST ahead of the sequence: tshark takes the next segment for a retransmission"},
	"self":                          {ofBegin, "a socket connected to itself, whose SYN-ACK comes from the side of the SYN"},
	"with data":                     {ofBegin, "data came with the ACK that opened the connection, and tshark counts one without"},
}

var fields = []string{
	"frame.number", "tcp.stream", "ip.src", "ipv6.src", "tcp.srcport", "tcp.flags.fin", "tcp.flags.reset", "tcp.flags.syn", "tcp.nxtseq",
	"tcp.analysis.retransmission", "tcp.analysis.out_of_order", "tcp.analysis.ack_lost_segment", "tcp.analysis.lost_segment",
	"tcp.analysis.keep_alive", "tcp.analysis.reused_ports",
	"tcp.completeness", "ip.id", "frame.time_epoch", "tcp.seq", "tcp.ack", "tcp.flags",
}

// identity is the place of ip.id, after which are the time and what else makes two
// packets the same.
const identity = 16

// tshark returns what it says of the packets that have TCP. Its dissector of VNC hides
// the fields of TCP.
func tshark(path string) (map[int]line, error) {
	args := []string{"-r", path, "-n", "-2", "-Y", "tcp", "--disable-protocol", "vnc", "-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields", "-E", "occurrence=l"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, _ := exec.Command("tshark", args...).Output() // on a cut file it fails, but what it read counts
	lines, before, spoke := map[int]line{}, map[string]float64{}, map[string]bool{}
	for text := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(text, "\n"), "\t")
		if len(f) != len(fields) {
			return nil, fmt.Errorf("%s: tshark says %q", path, text)
		}
		number, _ := strconv.Atoi(f[0])
		next, _ := strconv.ParseUint(f[8], 10, 64)
		seq, _ := strconv.ParseUint(f[identity+2], 10, 64)
		l := line{stream: f[1], source: f[2] + f[3] + ":" + f[4], fin: f[5] == "1", rst: f[6] == "1", syn: f[7] == "1", next: next, bare: next == seq, again: f[9] != ""}
		l.complete, _ = strconv.Atoi(f[identity-1])
		for i := 10; i < identity-1; i++ {
			if f[i] != "" {
				l.why = append(l.why, fields[i])
			}
		}
		flags, _ := strconv.ParseUint(f[identity+4], 0, 16)
		if from := l.stream + " " + l.source; !spoke[from] {
			if spoke[from] = true; next == seq+1 && flags&0x0b == 0 { // no FIN, SYN or PSH
				l.why = append(l.why, "probe first")
			}
		}
		same := strings.Join([]string{l.source, f[4], f[identity], strings.Join(f[identity+2:], " ")}, " ")
		at, _ := strconv.ParseFloat(f[identity+1], 64)
		if last, ok := before[same]; ok && l.again && at-last < 0.01 {
			l.why = append(l.why, "copies")
		}
		before[same] = at
		lines[number] = l
	}
	return lines, nil
}

// tsharks runs tshark for all files, two at a time: it takes most of the time.
func tsharks(paths []string) (all []map[int]line, err error) {
	all = make([]map[int]line, len(paths))
	errs := make([]error, len(paths))
	next := make(chan int)
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			for i := range next {
				all[i], errs[i] = tshark(paths[i])
			}
		})
	}
	for i := range paths {
		next <- i
	}
	close(next)
	running.Wait()
	return all, errors.Join(errs...)
}

// oneOf returns one of so many paths.
func oneOf(n int, paths []string) (some []string) {
	for i := 0; i < len(paths); i += n {
		some = append(some, paths[i])
	}
	return some
}
