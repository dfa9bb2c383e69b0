package lab

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/closetrace/closetrace/model"
)

// socketRow is a line of /proc/net/tcp: it also shows orphans, which no
// descriptor leads to any more.
type socketRow struct {
	local, peer netip.AddrPort
	state       model.State
	unacked     uint64 // write_seq - snd_una, FIN included
	unread      uint64 // rcv_nxt - copied_seq, FIN included
}

// listSockets reads the TCP sockets of the caller's network namespace.
func listSockets() ([]socketRow, error) {
	var rows []socketRow
	for _, path := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		file, err := os.Open(path)
		if os.IsNotExist(err) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("list sockets: %w", err)
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		lines.Scan() // the header
		for lines.Scan() {
			row, err := parseSocketRow(lines.Text())
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			rows = append(rows, row)
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("list sockets: %w", err)
		}
	}
	return rows, nil
}

func parseSocketRow(line string) (row socketRow, err error) {
	fields := strings.Fields(line)
	if len(fields) < 6 {
		return row, fmt.Errorf("socket row of %d fields", len(fields))
	}
	if row.local, err = parseHexAddr(fields[1]); err != nil {
		return row, err
	}
	if row.peer, err = parseHexAddr(fields[2]); err != nil {
		return row, err
	}
	state, err := strconv.ParseUint(fields[3], 16, 8)
	if err != nil {
		return row, fmt.Errorf("socket state: %w", err)
	}
	row.state = model.State(state) // model numbers them as the kernel does
	if strings.HasPrefix(fields[5], "03:") {
		row.state = model.TimeWait // a minisock that shows FIN_WAIT2 for its substate
	}
	tx, rx, _ := strings.Cut(fields[4], ":")
	if row.unacked, err = strconv.ParseUint(tx, 16, 64); err != nil {
		return row, fmt.Errorf("send queue: %w", err)
	}
	row.unread, err = strconv.ParseUint(rx, 16, 64)
	return row, err
}

// parseHexAddr reads the kernel's form: 32 bit words in host order.
func parseHexAddr(text string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("socket address %q: %w", text, err)
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, ok := netip.AddrFromSlice(raw)
	p, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("socket address %q", text)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}
