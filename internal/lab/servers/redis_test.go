//go:build linux

package servers_test

import (
	"strconv"
	"strings"
	"syscall"

	"github.com/closetrace/closetrace/model"
)

const redisPort = 6379

func redisServers() []server {
	redis := func(name string, play func(b *bench, redis party), args ...string) server {
		return server{"redis/" + name, []string{"redis-server", "redis-cli"}, func(b *bench) { play(b, startRedis(b, args)) }}
	}
	return []server{
		redis("client-kill", redisClientKill),
		redis("timeout", redisTimeout, "--timeout", "1"),
		redis("killed", redisKilled),
		redis("shutdown", redisShutdown),
		redis("output-buffer-limit", redisBufferLimit, "--client-output-buffer-limit", "normal 1000000 0 0"),
		redis("client-with-unread-data", redisUnread),
	}
}

func startRedis(b *bench, args []string) party {
	b.Helper()
	p := b.start("redis-server", append([]string{
		"--port", strconv.Itoa(redisPort), "--bind", "127.0.0.1", "--dir", b.dir, "--save", "",
	}, args...)...)
	b.listens(redisPort)
	return p.party
}

// CLIENT KILL closes the socket; redis has read everything.
func redisClientKill(b *bench, redis party) {
	b.expect(redisPort, b.self(), redis, serverCloses)
	conn := b.dial(redisPort, 0)
	b.send(conn, "PING\r\n")
	b.answer(conn, "PONG")
	cli := b.run("redis-cli", "-p", strconv.Itoa(redisPort), "CLIENT", "KILL", "ADDR", conn.LocalAddr().String())
	s := clientCloses
	s.client.call = model.CallExit // redis-cli does not close before it exits
	b.expect(redisPort, cli, redis, s)
	b.readOut(conn)
}

func redisTimeout(b *bench, redis party) {
	b.expect(redisPort, b.self(), redis, serverCloses)
	b.readOut(b.dial(redisPort, 0))
}

func redisKilled(b *bench, redis party) {
	b.expect(redisPort, b.self(), redis, exits(serverCloses, 9))
	conn := b.dial(redisPort, 0)
	b.send(conn, "PING\r\n")
	b.answer(conn, "PONG")
	b.signal(redis.pid, syscall.SIGKILL)
	b.readOut(conn)
}

// SHUTDOWN exits without closing the connections first.
func redisShutdown(b *bench, redis party) {
	b.expect(redisPort, b.self(), redis, exits(serverCloses, 0))
	conn := b.dial(redisPort, 0)
	b.send(conn, "PING\r\n")
	b.answer(conn, "PONG")
	b.send(conn, "SHUTDOWN NOSAVE\r\n")
	b.readOut(conn)
}

// The answer is longer than the limit: redis closes the connection instead of
// sending it (closeClientOnOutputBufferLimitReached).
func redisBufferLimit(b *bench, redis party) {
	b.expect(redisPort, b.self(), redis, serverCloses)
	conn := b.dial(redisPort, 0)
	b.send(conn, "SETRANGE big 8000000 x\r\n")
	b.answer(conn, ":8000001")
	b.send(conn, strings.Repeat("GET big\r\n", 4))
	b.readOut(conn)
}

// The client goes away while the answer is in its socket.
func redisUnread(b *bench, redis party) {
	b.expect(redisPort, b.self(), redis, clientUnread)
	conn := b.dial(redisPort, 4096)
	b.send(conn, "SETRANGE big 900000 x\r\n")
	b.answer(conn, ":900001")
	b.send(conn, "GET big\r\n")
	b.await("the answer", func(s socket) bool { return s.peerPort == redisPort && s.unread > 0 })
	conn.Close()
}
