package capture

import "bytes"

// Process is a process that a capture names.
type Process struct {
	PID  int
	Name string
}

// maxProcesses bounds the memory that processes take.
const maxProcesses = 1 << 16

// addProcess reads a block of Apple's tcpdump: the processes whose packets it has
// captured (pcapng.h of its libpcap: PCAPNG_BT_PIB).
func (c *Reader) addProcess(b []byte) error {
	const optionName, longest = 2, 64
	if len(b) < 12 {
		return c.damaged("a process of %d bytes", len(b)+4)
	}
	if len(c.processes) == maxProcesses {
		return c.damaged("more than %d processes", maxProcesses)
	}
	p := Process{PID: int(int32(c.order.Uint32(b[8:])))}
	c.optionsOf(b[12:]).each(func(code uint16, value []byte) bool {
		if code == optionName {
			name, _, _ := bytes.Cut(value[:min(len(value), longest)], []byte{0})
			p.Name = string(name)
		}
		return true
	})
	c.processes = append(c.processes, p)
	return nil
}

// Process returns the one that Apple's tcpdump names for the packet; of PID 0 nothing is
// known. The option epb_processid_threadid is not read: etl2pcapng writes the process
// that was running when Windows handled the packet, which often is unrelated.
func (p *Packet) Process() (named Process) {
	p.options.each(func(code uint16, value []byte) bool {
		if code == optionProcess && len(value) == 4 {
			if i := p.options.order.Uint32(value); int64(i) < int64(len(p.processes)) {
				named = p.processes[i]
			}
		}
		return code != optionProcess
	})
	return named
}

// Dropped reports whether the capture says that the packet was dropped: etl2pcapng does,
// with a verdict XDP_DROP, for what pktmon saw dropped.
func (p *Packet) Dropped() (dropped bool) {
	const xdp, drop = 2, 1
	p.options.each(func(code uint16, value []byte) bool {
		if code == optionVerdict && len(value) == 9 && value[0] == xdp {
			dropped = p.options.order.Uint64(value[1:]) == drop
		}
		return true
	})
	return dropped
}
