//go:build linux

package servers_test

import (
	"io"
	"strings"

	"github.com/closetrace/closetrace/model"
)

const pythonPort = 8001

func pythonServers() []server {
	program := func(way string, play func(b *bench, p party)) server {
		return server{"python/" + way, []string{"python3"}, func(b *bench) {
			b.copy("wrong.py")
			play(b, startPython(b, "wrong.py", way))
		}}
	}
	return []server{
		program("collect", pythonCollect),
		program("shutdown-close", pythonShutdownClose),
		program("shutdown", pythonShutdown),
		program("exit", pythonExit),
		{"python/http.server", []string{"python3"}, pythonHTTP},
	}
}

func startPython(b *bench, args ...string) party {
	b.Helper()
	p := b.start("python3", args...)
	b.listens(pythonPort)
	return p.party
}

// pythonCollect: nobody closes the socket but the garbage collector.
func pythonCollect(b *bench, p party) {
	b.expect(pythonPort, b.self(), p, serverUnread)
	conn := b.dial(pythonPort, 0)
	b.send(conn, strings.Repeat("x", 64))
	b.readOut(conn)
}

func pythonShutdownClose(b *bench, p party) {
	b.expect(pythonPort, b.self(), p, serverShutsDown)
	conn := b.dial(pythonPort, 0)
	b.send(conn, "x")
	b.readOut(conn)
}

// pythonShutdown: shutdown(SHUT_RDWR), but the descriptor stays open.
func pythonShutdown(b *bench, p party) {
	b.expect(pythonPort, b.self(), p, story{
		wire:   "server FIN, server RST",
		client: end{cause: model.CausePeerReset},
		server: end{cause: model.CauseDataAfterShutdown, call: model.CallShutdown},
	})
	conn := b.dial(pythonPort, 0)
	b.send(conn, "x")
	io.Copy(io.Discard, conn)
	b.send(conn, "late")
	b.gone(pythonPort)
	conn.Close()
}

func pythonExit(b *bench, p party) {
	b.expect(pythonPort, b.self(), p, exits(serverCloses, 0))
	conn := b.dial(pythonPort, 0)
	b.send(conn, "x")
	b.readOut(conn)
}

// pythonHTTP: http.server answers a POST with 501, does not read its body, and
// calls shutdown(SHUT_WR) and close (socketserver, shutdown_request).
func pythonHTTP(b *bench) {
	p := startPython(b, "-m", "http.server", "8001", "--bind", "127.0.0.1")
	b.expect(pythonPort, b.self(), p, story{
		wire:   "server FIN, server RST",
		client: end{cause: model.CausePeerReset},
		server: end{cause: model.CauseUnreadData, call: model.CallClose},
	})
	conn := b.dial(pythonPort, 0)
	b.send(conn, upload+strings.Repeat("x", 30_000))
	b.answer(conn, "501")
	b.gone(pythonPort)
	conn.Close()
}
