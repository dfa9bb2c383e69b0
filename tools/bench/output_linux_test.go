package main

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// TestCount: an end counts if the line has all marks, others are those of the rest of
// the host, losses are added up by their place. The last line may have no end.
func TestCount(t *testing.T) {
	some := `{"kind":"counts","process":{` + ourName() + `},"counted":{"ends":500,"taken_back":2}}` + "\n"
	const (
		ours  = `{"kind":"teardown","network":{"peer":{"address":"127.255.0.3"}}}` + "\n"
		alien = `{"kind":"teardown","network":{"peer":{"address":"10.0.0.1"}}}` + "\n"
		noise = `{"kind":"start","peer":"127.255.0.1"}` + "\n"
		lost  = `{"kind":"loss","count":30,"where":"ring-buffer"}` + "\n"
		sshd  = `{"kind":"counts","process":{"name":"sshd"},"counted":{"ends":7}}` + "\n"
		late  = `{"kind":"loss","count":5,"where":"late-evidence"}` + "\n"
	)
	marks := []string{teardown, serverNet}
	for _, test := range []struct {
		name, text         string
		ends, others, lost uint64
	}{
		{"nothing", "", 0, 0, 0},
		{"all kinds", noise + ours + alien + ours + lost + late + lost + ours, 3, 1, 60},
		{"ends that were only counted", ours + some + sshd + some, 997, 7, 0},
		{"without a last line feed", ours + strings.TrimSpace(ours), 2, 0, 0},
	} {
		o := output{losses: map[string]uint64{}}
		if err := o.count(strings.NewReader(test.text), marks); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if o.ends != test.ends || o.others != test.others || o.lost() != test.lost {
			t.Errorf("%s: %d ends, %d others, %d lost; want %d, %d, %d", test.name, o.ends, o.others, o.lost(), test.ends, test.others, test.lost)
		}
	}
	o := output{losses: map[string]uint64{}}
	if err := o.count(strings.NewReader(`{"kind":"loss","count":"many"}`+"\n"), marks); err == nil {
		t.Error("a loss that can't be read is no error, and would look like none")
	}
}

func TestCountPackets(t *testing.T) {
	file := make([]byte, 24)
	packet := func(size int) {
		header := make([]byte, 16)
		binary.NativeEndian.PutUint32(header[8:], uint32(size))
		file = append(append(file, header...), make([]byte, size)...)
	}
	for _, size := range []int{60, 0, 1500, 54} {
		packet(size)
	}
	for _, test := range []struct {
		name string
		data []byte
		want uint64
	}{
		{"no packets", file[:24], 0},
		{"four", file, 4},
		{"cut in the last packet", file[:len(file)-1], 3},
		{"cut in its header", file[:len(file)-60], 3},
	} {
		if n, err := countPackets(bytes.NewReader(test.data)); err != nil || n != test.want {
			t.Errorf("%s: %d packets, %v; want %d", test.name, n, err, test.want)
		}
	}
	if _, err := countPackets(bytes.NewReader(file[:10])); err == nil {
		t.Error("half a header is no error")
	}
}

// TestOwnerOf: who is named as owner, in the lines of each tool.
func TestOwnerOf(t *testing.T) {
	for _, test := range []struct {
		line        string
		ours        bool
		name        string
		local, peer int
	}{
		{`{"process":{"name":"pcli"},"network":{"local":{"port":4242},"peer":{"port":1003}}}`, true, "pcli", 4242, 1003},
		{`{"network":{"local":{"port":1001},"peer":{"port":4242}}}`, true, "", 1001, 4242},
		{`END 812 psrv 127.255.0.1:1002 127.0.0.1:4242 4`, false, "psrv", 1002, 4242},
		{`812  pcli  127.0.0.1  4242  127.255.0.1  1001  0  0  1.2`, false, "pcli", 4242, 1001},
		{`garbage`, false, "", 0, 0},
		{`garbage`, true, "", 0, 0},
	} {
		if name, local, peer := ownerOf([]byte(test.line), test.ours); name != test.name || local != test.local || peer != test.peer {
			t.Errorf("%s: got %q, %d, %d; want %q, %d, %d", test.line, name, local, peer, test.name, test.local, test.peer)
		}
	}
}
