package wire_test

import (
	"bytes"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// Of a long comment a connection keeps only what it names, and no part of a path.
func TestLongComments(t *testing.T) {
	const conns, size = 200, 60_000
	var made, file bytes.Buffer
	m := wiretest.New(&made, begin)
	for n := range uint16(conns) {
		m.Open(netip.AddrPortFrom(client.Addr(), 1000+n), server, 1000, 5000).Flag(0, wiretest.RST|wiretest.ACK)
	}
	in, err := pcapgo.NewReader(&made)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pcapgo.NewNgWriter(&file, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	comment := "PID: 812\nCmd: /" + strings.Repeat("x/", 2000) + "curl\nPodName: web\nContainerName: " + strings.Repeat("y", 1000) + "\nArgs: "
	comment += strings.Repeat("z", size-len(comment))
	for {
		data, info, err := in.ReadPacketData()
		if err != nil {
			break
		}
		o := pcapgo.NgPacketOptions{}
		if data[26] == 10 {
			o.Flags = &pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionOutbound}
			o.Comments = []string{comment}
		}
		info = gopacket.CaptureInfo{Timestamp: info.Timestamp, CaptureLength: info.CaptureLength, Length: info.Length}
		if err := w.WritePacketWithOptions(info, data, o); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	before := heap()
	records := readFrom(t, &file, wire.Options{Local: []netip.Prefix{netip.PrefixFrom(client.Addr(), 32)}})
	if grown := int64(heap()) - int64(before); grown > conns*size/4 {
		t.Errorf("%d ends keep %d bytes, want much less than a comment of %d each", len(records), grown, size)
	}
	if len(records) != conns {
		t.Fatalf("got %d ends, want %d", len(records), conns)
	}
	r := &records[conns-1].Teardown
	if r.Process.Name != "curl" || r.Process.Executable.Path != "" || r.K8s.Pod.Name != "web" || len(r.Container.Name) != 256 {
		t.Errorf("owner %+v %+v %+v", r.Process, r.K8s, r.Container)
	}
	runtime.KeepAlive(&file)
	runtime.KeepAlive(records)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
