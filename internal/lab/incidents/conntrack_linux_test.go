package incidents

import (
	"strings"
	"testing"
)

// inject sends a segment of the server's far outside of the window, as tcpdump would see one
// after a NAT has lost its state.
const inject = `import socket, struct, sys
def checksum(b):
    n = sum(struct.unpack('!%dH' % (len(b)//2), b)); n = (n >> 16) + (n & 65535); return ~(n + (n >> 16)) & 65535
w = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)); w.bind((sys.argv[1], 0))
print('ready', flush=True); n = 0
while n < 30:
    p = w.recv(65535)
    if p[9] == 6 and struct.unpack('!H', p[20:22])[0] == 80: n += 1; last = p
port, seq, ack = struct.unpack('!HII', last[22:32])
source, to = last[12:16], last[16:20]
t = struct.pack('!HHIIBBHHH', 80, port, (seq + 60000000) & 0xffffffff, ack, 5 << 4, 16, 100, 0, 0) + b'z'*500
t = t[:16] + struct.pack('!H', checksum(source + to + struct.pack('!HH', 6, len(t)) + t)) + t[18:]
r = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
r.sendto(struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(t), 7, 0, 64, 6, 0) + source + to + t, (socket.inet_ntoa(to), 0))
`

// TestConntrackInvalid: kubernetes/kubernetes#74839. A packet that conntrack calls INVALID passes
// a DNAT untranslated; the client's host has no such connection and resets the server.
func TestConntrackInvalid(t *testing.T) {
	s := newScene(t, []string{"client", "router", "server"}, "nft", "nginx", "curl", "python3")
	s.link("client", "10.7.1.2", "router", "10.7.1.1")
	_, device := s.link("router", "10.7.2.1", "server", "10.7.2.2")
	s.must("ip", "-n", s.names["client"], "route", "add", "default", "via", "10.7.1.1")
	s.must("ip", "-n", s.names["server"], "route", "add", "default", "via", "10.7.2.1")
	s.run("router", "sysctl", "-qw", "net.ipv4.ip_forward=1")
	s.nft("router", `table ip t {
 chain pre { type nat hook prerouting priority dstnat; ip daddr 10.7.9.9 tcp dport 80 dnat to 10.7.2.2:80; }
 chain f { type filter hook forward priority 0; ct state invalid counter accept; }
}
`)
	s.file("www/big", strings.Repeat("x", 5_000_000))
	s.nginx("server", "server{ listen 10.7.2.2:80; root $DIR/www; limit_rate 500k; }", 80)
	injected := s.command("server", "python3", s.file("inject.py", inject), device)
	out, err := injected.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := injected.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = injected.Process.Kill(); _ = injected.Wait() })
	if _, err := out.Read(make([]byte, 9)); err != nil {
		t.Fatal(err)
	}
	if text := s.run("client", "curl", "-sS", "-m", "9", "-o", "/dev/null", "http://10.7.9.9/big"); text == "" {
		t.Fatal("the client has got its file")
	}
	s.says("middlebox-reset", "neither end", "10.7.1.2")
}
