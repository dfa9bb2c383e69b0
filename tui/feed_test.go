package tui

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/model"
)

// A synthetic feed: the facts are made here, and judged by the model as those
// of a back end are. Nothing in it depends on a clock.

var (
	established = model.PathOf(model.Established, model.Closed)
	inClose     = model.Evidence{
		Owned: model.Some(true), Dead: model.Some(false), Shutdown: model.Some(uint8(3)), Descriptor: model.HolderClosing,
	}
)

// ending is one way to end, and how often it comes.
type ending struct {
	weight int
	want   model.Cause
	shape  func(*model.Facts, *rand.Rand)
}

func size(random *rand.Rand, n int) model.Opt[uint64] {
	return model.Some(uint64(1 + random.IntN(n)))
}

var endings = []ending{
	{60, model.CauseFIN, func(f *model.Facts, r *rand.Rand) {
		f.TCP.Path = model.PathOf(model.Established, model.FinWait1, model.FinWait2, model.Closed)
		f.TCP.FIN = model.FIN{Sent: model.Some(true), Received: model.Some(true)}
		f.TCP.Bytes = model.Bytes{Sent: size(r, 90_000), Received: size(r, 9000), Unacked: model.Some(uint64(0)), Unread: model.Some(uint64(0))}
		f.TCP.TimeWait = model.Some(true)
	}},
	{20, model.CauseFIN, func(f *model.Facts, r *rand.Rand) {
		f.TCP.Path = model.PathOf(model.Established, model.CloseWait, model.LastAck, model.Closed)
		f.TCP.Bytes = model.Bytes{Sent: size(r, 90_000), Unacked: model.Some(uint64(0)), Unread: model.Some(uint64(0))}
	}},
	{12, model.CauseUnreadData, func(f *model.Facts, r *rand.Rand) {
		f.TCP.Path, f.Evidence = established, inClose
		f.TCP.Bytes = model.Bytes{Received: size(r, 90_000), Unread: size(r, 4000), Unacked: model.Some(uint64(0))}
		f.TCP.RST = model.RST{Sent: model.Some(true), Received: model.Some(false), Reason: "TCP_ABORT_ON_CLOSE"}
	}},
	{8, model.CausePeerReset, func(f *model.Facts, r *rand.Rand) {
		f.TCP.Path, f.TCP.Error = established, "ECONNRESET"
		f.Evidence.RSTReceivedBefore = true
		f.TCP.RST = model.RST{Sent: model.Some(false), Received: model.Some(true)}
		f.TCP.Bytes = model.Bytes{Unacked: size(r, 60_000), Unread: model.Some(uint64(0))}
	}},
	{5, model.CauseLingerZero, func(f *model.Facts, r *rand.Rand) {
		f.TCP.Path, f.Evidence = established, inClose
		f.Linger = model.Linger{On: model.Some(true), Seconds: model.Some(0)}
		f.TCP.Bytes = model.Bytes{Unacked: size(r, 900_000)}
	}},
	{3, model.CauseLingerExpired, func(f *model.Facts, r *rand.Rand) {
		f.TCP.Path = model.PathOf(model.Established, model.FinWait1)
		f.Linger = model.Linger{On: model.Some(true), Seconds: model.Some(2)}
		f.Evidence.Wait = model.LingerWait{Began: true, Returned: model.Some(2001 * time.Millisecond)}
		f.TCP.Bytes = model.Bytes{Unacked: size(r, 2_000_000), Unsent: model.Some(uint64(65_536))}
	}},
	{5, model.CauseRefused, func(f *model.Facts, _ *rand.Rand) {
		f.TCP.Path, f.TCP.Error = model.PathOf(model.SynSent, model.Closed), "ECONNREFUSED"
		f.TCP.Role, f.Evidence.RSTReceivedBefore = model.Active, true
	}},
	{2, model.CauseConnectTimeout, func(f *model.Facts, _ *rand.Rand) {
		f.TCP.Path, f.TCP.Error = model.PathOf(model.SynSent, model.Closed), "ETIMEDOUT"
		f.TCP.Role = model.Active
	}},
	{1, model.CauseRetransmitTimeout, func(f *model.Facts, r *rand.Rand) {
		f.TCP.Path, f.TCP.Error = established, "ETIMEDOUT"
		f.TCP.Bytes = model.Bytes{Unacked: size(r, 30_000)}
		f.TCP.Retransmits = model.Some(uint32(15))
	}},
}

// servers own the connections of the feed.
var servers = []struct {
	process model.Process
	port    uint16
	unit    string
	image   string
}{
	{model.Process{PID: 812, Name: "nginx", Executable: model.Executable{Path: "/usr/sbin/nginx"}, User: model.User{ID: model.Some(uint32(33)), Name: "www-data"}, Source: model.OwnerAccept}, 443, "nginx.service", ""},
	{model.Process{PID: 1204, Name: "postgres", Source: model.OwnerUse}, 5432, "postgresql@15-main.service", ""},
	{model.Process{PID: 23817, Name: "java", Executable: model.Executable{Path: "/opt/java/bin/java"}, Source: model.OwnerAccept}, 8080, "", "4f1c0ffee5a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b"},
	{model.Process{PID: 90112, Name: "curl", Source: model.OwnerConnect}, 40112, "session-4.scope", ""},
	{model.Process{PID: 666, Name: "e\x1b[31mvil\u202e\n", Source: model.OwnerAccept}, 31337, "", ""},
}

// feedRecord returns record n of the feed, at t.
func feedRecord(random *rand.Rand, n int, t model.Time) model.Record {
	total := 0
	for _, e := range endings {
		total += e.weight
	}
	pick := random.IntN(total)
	end := &endings[0]
	for i := range endings {
		if end = &endings[i]; pick < end.weight {
			break
		}
		pick -= end.weight
	}
	server := &servers[min(random.IntN(11)*random.IntN(3)/5, len(servers)-1)]
	f := model.Facts{Time: t, ID: fmt.Sprintf("7f3a-%x", n), Process: server.process}
	f.Network = model.Network{
		Local: model.Endpoint{Address: netip.MustParseAddr("10.0.0.5"), Port: server.port},
		Peer:  model.Endpoint{Address: netip.AddrFrom4([4]byte{10, 0, byte(random.IntN(3)), byte(2 + random.IntN(5))}), Port: uint16(32768 + random.IntN(28000))},
	}
	if random.IntN(9) == 0 {
		f.Network.Local.Address = netip.MustParseAddr("2001:db8:0:1::5")
		f.Network.Peer.Address = netip.MustParseAddr("2001:db8:42:17:e5::" + fmt.Sprintf("%x", 1+random.IntN(3)))
	}
	f.Systemd.Unit = server.unit
	if server.image != "" {
		f.Container = model.Container{ID: server.image, Runtime: "containerd"}
	}
	f.Closer = model.Closer{PID: server.process.PID, TID: server.process.PID, Name: server.process.Name, Call: model.CallClose}
	age := time.Duration(1+random.IntN(90_000)) * time.Millisecond
	f.StartTime, f.Duration = t.Add(-age), model.Some(age)
	f.TCP.Role, f.TCP.SRTT = model.Passive, model.Some(182*time.Microsecond)
	end.shape(&f, random)
	switch end.want {
	case model.CauseFIN:
		f.Evidence.FirstFIN, f.Evidence.CloseTime = t.Add(-age/3), t.Add(-age/4)
		if f.TCP.Path.Has(model.FinWait1) {
			f.Evidence.CloseTime = f.Evidence.FirstFIN
		}
	case model.CauseUnreadData, model.CauseLingerZero:
		f.Evidence.CloseTime = t.Add(-9 * time.Microsecond)
	}
	r := model.Record{Kind: model.KindTeardown, Teardown: model.Judge(f)}
	if r.Teardown.Cause != end.want {
		panic(fmt.Sprintf("the feed's facts for %v are judged %v", end.want, r.Teardown.Cause))
	}
	return r
}

// feed returns n records, the last of them at until.
func feed(n int, until model.Time, apart time.Duration) []model.Record {
	random := rand.New(rand.NewPCG(20, 26))
	records := make([]model.Record, n)
	for i := range records {
		records[i] = feedRecord(random, i, until.Add(-time.Duration(n-1-i)*apart))
	}
	return records
}

// sequence returns records as a source does.
func sequence(records []model.Record) iter.Seq2[model.Record, error] {
	return func(yield func(model.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func lossRecord(t model.Time, n uint64) model.Record {
	return model.Record{Kind: model.KindLoss, Loss: model.Loss{Time: t, Count: n, Where: "ring-buffer"}}
}
