package model_test

import (
	"net/netip"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// gracefulRecord is a client that closed first, as a back end reports it.
func gracefulRecord() model.Record {
	r := model.Record{Kind: model.KindTeardown}
	f := &r.Teardown.Facts
	f.Network.Local = model.Endpoint{Address: netip.MustParseAddr("10.0.0.1"), Port: 40000}
	f.Network.Peer = model.Endpoint{Address: netip.MustParseAddr("10.0.0.2"), Port: 443}
	f.Process.PID, f.Process.Name = 812, "nginx"
	f.TCP.Path = model.PathOf(model.SynSent, model.Established, model.FinWait1, model.FinWait2)
	f.TCP.FIN = model.FIN{Sent: model.Some(true), Received: model.Some(true)}
	f.TCP.RST = model.RST{Sent: model.Some(false), Received: model.Some(false)}
	f.TCP.TimeWait = model.Some(true)
	r.Teardown.Judgement = model.Classify(f)
	return r
}

func BenchmarkClassify(b *testing.B) {
	r := gracefulRecord()
	b.ReportAllocs()
	for b.Loop() {
		if j := model.Classify(&r.Teardown.Facts); j.Verdict != model.Graceful {
			b.Fatalf("Classify = %v, want graceful", j.Verdict)
		}
	}
}

func BenchmarkFilter(b *testing.B) {
	r := gracefulRecord()
	for _, source := range []string{
		`verdict == "graceful"`,
		`process.name == "nginx" && network.peer.port == 443`,
		`cidr(network.peer.address, "10.0.0.0/8")`,
	} {
		b.Run(source, func(b *testing.B) {
			filter, err := model.CompileFilter(source)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !filter.Match(&r) {
					b.Fatal("Match = false, want true")
				}
			}
		})
	}
}
