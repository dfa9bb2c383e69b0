package etwsrc

import (
	"github.com/closetrace/closetrace/etwsrc/internal/join"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// Options are those of a live session. The zero value is right for most.
type Options struct {
	// Queue is how many events may wait between the system's callback and the
	// consumer; 0 is 16384, of about 600 bytes each. What does not fit is
	// counted as lost.
	Queue int
	// MaxConnections is how many open connections are followed; 0 is 65536.
	// Events of those for which there is no room count as lost.
	MaxConnections int
}

// subscription is what is asked of a provider (docs/etw.md, section 4.1).
type subscription struct {
	provider raw.Provider
	any      uint64
	level    uint8
	// ids is the filter by event, which Windows 8.1 and later have.
	ids []uint16
	// plainLevel and plainAny are what is asked for without the filter: AFD
	// reports every send and receive at level 4. Level 0 leaves the provider out.
	plainLevel uint8
	plainAny   uint64
	// optional: that it can't be enabled is normal on older systems.
	optional bool
}

// subscriptions returns what a live session enables: of each provider the
// events that are read. Kernel-Network is the fallback: it reports ends that
// the TCP stack's provider did not.
func subscriptions() []subscription {
	list := []subscription{
		// Beyond the keywords of every release: 1477 and 1480 of Windows 10,
		// and 1446.
		{provider: raw.TCPIP, any: 0x200000000094, level: 4, plainLevel: 4, plainAny: 0x84},
		{provider: raw.AFD, any: 0xE, level: 4, plainLevel: 2, plainAny: 0xE, optional: true},
		{provider: raw.Sockets, level: 5, plainLevel: 5, optional: true},
		{provider: raw.KernelNetwork, any: 0x30, level: 4, optional: true},
	}
	for i := range list {
		list[i].ids = join.Events(list[i].provider)
	}
	return list
}
