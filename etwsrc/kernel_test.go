package etwsrc

import (
	"testing"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// A connection of the NT kernel logger or of Kernel-Network has its role, its
// begin and its process, over IPv4 and IPv6 (MOF TcpIp_TypeGroup1 to 4).
func TestKernelLoggerTellsRoleAndBegin(t *testing.T) {
	v4 := [2][]byte{{10, 0, 0, 5}, {10, 0, 0, 9}}
	v6 := [2][]byte{{0x20, 1, 0xd, 0xb8, 15: 5}, {0x20, 1, 0xd, 0xb8, 15: 9}}
	for _, p := range []raw.Provider{raw.KernelTCP, raw.KernelNetwork} {
		for _, tt := range []struct {
			open uint16
			role model.Role
			a    [2][]byte
		}{{12, model.Active, v4}, {15, model.Passive, v4}, {28, model.Active, v6}, {31, model.Passive, v6}} {
			b := etltest.NewBuilder(t, etltest.Releases()[7])
			fields := func() etltest.Fields {
				return etltest.Fields{"PID": 812, "saddr": tt.a[0], "daddr": tt.a[1], "sport": []byte{1, 187}, "dport": []byte{0xC7, 0x5A}}
			}
			close := uint16(13)
			if tt.open >= 26 {
				close = 29
			}
			b.Add(0, 4, 0, p, tt.open, fields())
			b.Add(5*sec, 4, 0, p, close, fields())
			tr := b.Trace()
			if p == raw.KernelTCP {
				for i := range tr.Events {
					tr.Events[i].Hook = 0x600 | tr.Events[i].ID
				}
			}
			got := teardowns(judge(t, tr.Bytes()))
			if len(got) != 1 {
				t.Fatalf("%v %d: %d ends, want 1", p, tt.open, len(got))
			}
			g := got[0]
			if g.TCP.Role != tt.role || g.TCP.Preexisting || !g.Duration.Is(5*sec) || g.Process.PID != 812 || g.Evidence.Gap ||
				g.Verdict != model.VerdictUnknown || g.Network.Local.Port != 443 || g.Network.Peer.Port != 51034 {
				t.Errorf("%v %d: %+v, want role %v and the begin 5 s before", p, tt.open, g, tt.role)
			}
		}
	}
}
