package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/closetrace/closetrace/bpf"
)

// program is what the kernel says of one BPF program.
type program struct {
	name string
	runs uint64
	ns   uint64 // all runs together; needs kernel.bpf_stats_enabled
	// misses counts the runs that the kernel left out.
	misses uint64
}

// programsOf returns the BPF programs that a process has open.
func programsOf(pid int) ([]program, error) {
	ids, err := descriptors(pid, "prog_id:")
	if err != nil {
		return nil, err
	}
	var all []program
	for _, id := range ids {
		p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
		if err != nil {
			return nil, fmt.Errorf("open program %d: %w", id, err)
		}
		defer p.Close()
		info, err := p.Info()
		if err != nil {
			return nil, fmt.Errorf("ask for program %d: %w", id, err)
		}
		stats, err := p.Stats()
		if err != nil {
			return nil, fmt.Errorf("ask for the statistics of %s: %w", info.Name, err)
		}
		all = append(all, program{info.Name, stats.RunCount, uint64(stats.Runtime), stats.RecursionMisses})
	}
	return all, nil
}

// lossesOf returns how many ends the kernel counted as lost for closetrace with
// this PID: they found the ring buffer full.
func lossesOf(pid int) (total uint64, err error) {
	ids, err := descriptors(pid, "map_id:")
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(ebpf.MapID(id))
		if err != nil {
			return 0, fmt.Errorf("open map %d: %w", id, err)
		}
		defer m.Close()
		info, err := m.Info()
		if err != nil {
			return 0, fmt.Errorf("ask for map %d: %w", id, err)
		}
		if info.Name != "counters" || info.ValueSize != uint32(unsafe.Sizeof(bpf.TraceCpuCounters{})) {
			continue
		}
		for cpu := range uint32(ebpf.MustPossibleCPU()) {
			var c bpf.TraceCpuCounters
			if err := m.Lookup(cpu, &c); err != nil {
				return 0, fmt.Errorf("read counters: %w", err)
			}
			total += c.Ring
		}
		return total, nil
	}
	return 0, fmt.Errorf("process %d has no loss counters", pid)
}

// descriptors returns the numbers that follow label in the descriptors of a
// process, each once.
func descriptors(pid int, label string) ([]uint32, error) {
	folder := fmt.Sprintf("/proc/%d/fdinfo", pid)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var ids []uint32
	seen := map[uint32]bool{}
	for _, entry := range entries {
		file, err := os.Open(folder + "/" + entry.Name())
		if err != nil {
			continue // closed since
		}
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			var id uint32
			after, ok := strings.CutPrefix(lines.Text(), label)
			if !ok {
				continue
			}
			if _, err := fmt.Sscan(after, &id); err == nil && !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
		file.Close()
	}
	return ids, nil
}
