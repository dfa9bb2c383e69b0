//go:build linux

package servers_test

import (
	"io"
	"os"
	"path/filepath"

	"github.com/closetrace/closetrace/model"
)

func haproxyServers() []server {
	haproxy := func(name string, play func(b *bench), more ...string) server {
		return server{"haproxy/" + name, append(more, "haproxy"), play}
	}
	return []server{
		haproxy("normal", haproxyNormal, "curl"),
		haproxy("unpooled", haproxyUnpooled, "curl"),
		haproxy("server-down", haproxyDown, "curl"),
		haproxy("client-timeout", haproxyTimeout),
		haproxy("client-timeout-nolinger", haproxyTimeoutNoLinger),
		haproxy("silent-drop", haproxySilent),
		haproxy("silent-drop-unprivileged", haproxySilentUnprivileged),
		haproxy("reject-connection", haproxyRejectConnection),
		haproxy("reject-content", haproxyRejectContent),
		haproxy("deny", haproxyDeny, "curl"),
	}
}

func startHAProxy(b *bench, args ...string) party {
	b.Helper()
	b.copy("haproxy.cfg")
	p := b.start("haproxy", append([]string{"-db", "-f", "haproxy.cfg"}, args...)...)
	b.listens(8024)
	return p.party
}

// haproxyNormal: the client closes its connection; HAProxy keeps the other one
// until the server is tired of it.
func haproxyNormal(b *bench) {
	web := startGoServer(b, "web").party
	proxy := startHAProxy(b)
	client := b.run("curl", "-s", "-f", "http://127.0.0.1:8001/")
	b.expect(8001, client, proxy, clientCloses)
	b.expect(9001, proxy, web, serverCloses)
}

// haproxyUnpooled: HAProxy itself closes a connection to a server. It does so
// with SO_LINGER {1,0}, which spares it the TIME_WAIT (fd_delete; "close hard
// if needed" in tcp_connect_server).
func haproxyUnpooled(b *bench) {
	web := startGoServer(b, "web").party
	proxy := startHAProxy(b)
	client := b.run("curl", "-s", "-f", "http://127.0.0.1:8002/")
	b.expect(8002, client, proxy, clientCloses)
	b.expect(9001, proxy, web, story{
		wire:   "client RST",
		client: end{cause: model.CauseLingerZero, call: model.CallClose},
		server: end{cause: model.CausePeerReset},
	})
}

// haproxyDown: the client gets 503, and may go on using its connection.
func haproxyDown(b *bench) {
	proxy := startHAProxy(b)
	client := b.run("curl", "-s", "http://127.0.0.1:8003/")
	b.expect(8003, client, proxy, clientCloses)
	b.expect(9999, proxy, party{}, story{
		wire:   "server RST",
		client: end{cause: model.CauseRefused},
	})
}

// haproxyTimeout: the client sends no request in time and gets 408. HAProxy
// shuts down its side and closes at once (h1_shutw_conn).
func haproxyTimeout(b *bench) {
	b.expect(8011, b.self(), startHAProxy(b), serverShutsDown)
	b.readOut(b.dial(8011, 0))
}

// haproxyTimeoutNoLinger: the FIN of that shutdown still leaves.
func haproxyTimeoutNoLinger(b *bench) {
	b.expect(8012, b.self(), startHAProxy(b), story{
		wire:   "server FIN, server RST",
		client: end{cause: model.CausePeerReset},
		server: end{cause: model.CauseLingerZero, call: model.CallClose},
	})
	conn := b.dial(8012, 0)
	io.Copy(io.Discard, conn)
	b.gone(8012)
	conn.Close()
}

// haproxySilent: HAProxy closes in TCP_REPAIR mode. The client's own end is
// then answered by a kernel that knows of no connection.
func haproxySilent(b *bench) {
	b.expect(8021, b.self(), startHAProxy(b), story{
		wire:   "client FIN, server RST",
		client: end{cause: model.CausePeerReset, call: model.CallClose},
		server: end{
			cause: model.CauseTCPRepair, call: model.CallClose, first: model.InitiatorNone,
			afterRST: true, unheard: true,
		},
	})
	conn := b.dial(8021, 0)
	b.send(conn, getRoot)
	b.eventually("the drop", func() bool {
		for _, s := range b.sockets() {
			if s.localPort == 8021 && s.state != stateListen {
				return false
			}
		}
		return true
	})
	conn.Close()
}

// haproxySilentUnprivileged: without CAP_NET_ADMIN a RST leaves after all; only
// its TTL of 1 keeps it from clients that are further away than these.
func haproxySilentUnprivileged(b *bench) {
	b.check(os.WriteFile(filepath.Join(b.dir, "nobody.cfg"), []byte("global\n    uid 65534\n    gid 65534\n"), 0o644))
	b.expect(8021, b.self(), startHAProxy(b, "-f", "nobody.cfg"), serverLingerZero)
	conn := b.dial(8021, 0)
	b.send(conn, getRoot)
	b.readOut(conn)
}

// haproxyRejectConnection: session_accept_fd sets SO_LINGER {1,0}. The reset
// may come before connect() has returned.
func haproxyRejectConnection(b *bench) {
	b.expect(8022, b.self(), startHAProxy(b), serverLingerZero)
	if conn, err := b.connect(8022, 0); err == nil {
		b.readOut(conn)
	}
}

func haproxyRejectContent(b *bench) {
	b.expect(8023, b.self(), startHAProxy(b), serverShutsDown)
	conn := b.dial(8023, 0)
	b.send(conn, getRoot)
	b.readOut(conn)
}

// haproxyDeny: the client gets 403, and its connection lives on.
func haproxyDeny(b *bench) {
	proxy := startHAProxy(b)
	client := b.run("curl", "-s", "http://127.0.0.1:8024/")
	b.expect(8024, client, proxy, clientCloses)
}
