package findings

import (
	"cmp"
	"slices"
	"strings"
)

// knobs are a program's settings, by the beginning of its name: the idle timeouts as a
// server and as a client, the timeout after which it ends a worker, the length of its accept
// queue, how long it waits for a peer that does not read, how large a request may be, and
// how many connections it has at most.
type knobs struct {
	program                                       string
	idle, pool, limit, backlog, write, body, most string
	workers                                       string // how many requests it works at, where more wait for accept()
	all                                           string // what else than a reload or a restart closes all its connections at once
	exact                                         bool   // each connection has a timer of its own, and it does not look now and then
	gently                                        bool   // at its limit a worker gets SIGTERM
	first                                         string // how long it waits for a client's first words
	grace                                         string // at its limit a worker gets SIGABRT first: SIGKILL is rather the end of a stop that took longer than this
}

// programs is from the programs' manuals: gunicorn's settings, Node's http.Server and
// http.Agent, nginx's core and upstream modules, HAProxy's section 4.2, redis.conf, PgBouncer's
// config, PostgreSQL's and MariaDB's server variables, Apache's core and MPM directives,
// php-fpm.conf, uWSGI's options, Puma's DSL, Envoy's HTTP connection manager, sshd_config, lighttpd's server module, mosquitto.conf, socat(1), varnishd's parameters (its threads are
// called cache-main and cache-worker).
var programs = [...]knobs{
	{program: "mosquitto", idle: "the client's keep-alive, 1.5 times it", most: "max_connections"},
	{program: "socat", idle: "-T"},
	{program: "gunicorn", all: "--max-requests", workers: "--workers, --threads", idle: "--keep-alive", limit: "--timeout", grace: "--graceful-timeout", backlog: "--backlog"},
	{program: "node", exact: true, idle: "server.keepAliveTimeout", pool: "http.Agent timeout", backlog: "backlog of server.listen()", most: "server.maxConnections"},
	{program: "nginx", exact: true, idle: "keepalive_timeout; of a WebSocket or stream {}, proxy_read_timeout or proxy_timeout", first: "client_header_timeout", pool: "keepalive_timeout in upstream {}; of a WebSocket or stream {}, proxy_read_timeout or proxy_timeout", limit: "worker_shutdown_timeout", backlog: "listen ... backlog=", write: "send_timeout", body: "client_max_body_size", most: "worker_connections, limit_conn"},
	{program: "haproxy", exact: true, all: "\"on-marked-down shutdown-sessions\" or \"shutdown sessions\"", idle: "timeout http-keep-alive, timeout client; of a WebSocket, timeout tunnel", pool: "pool-purge-delay; of a WebSocket, timeout tunnel", backlog: "backlog", write: "timeout client, timeout server", most: "maxconn"},
	{program: "redis", all: "CLIENT KILL", idle: "timeout", backlog: "tcp-backlog", write: "client-output-buffer-limit", body: "client-query-buffer-limit, proto-max-bulk-len", most: "maxclients"},
	{program: "valkey", all: "CLIENT KILL", idle: "timeout", backlog: "tcp-backlog", write: "client-output-buffer-limit", body: "client-query-buffer-limit, proto-max-bulk-len", most: "maxclients"},
	{program: "pgbouncer", first: "client_login_timeout", all: "KILL or RECONNECT", idle: "client_idle_timeout; of requests that wait, query_wait_timeout", pool: "server_idle_timeout, server_lifetime", backlog: "listen_backlog", most: "max_client_conn"},
	{program: "postgres", exact: true, first: "authentication_timeout", all: "pg_terminate_backend()", idle: "idle_session_timeout, idle_in_transaction_session_timeout", limit: "statement_timeout", write: "tcp_user_timeout", most: "max_connections"},
	{program: "mariadb", first: "connect_timeout", all: "KILL", idle: "wait_timeout", backlog: "back_log", write: "net_write_timeout", body: "max_allowed_packet", most: "max_connections"},
	{program: "mysqld", first: "connect_timeout", all: "KILL", idle: "wait_timeout", backlog: "back_log", write: "net_write_timeout", body: "max_allowed_packet", most: "max_connections"},
	{program: "apache2", workers: "MaxRequestWorkers", idle: "KeepAliveTimeout", pool: "ProxyPass ttl=", limit: "GracefulShutdownTimeout", backlog: "ListenBacklog", write: "TimeOut", body: "LimitRequestBody", most: "MaxRequestWorkers"},
	{program: "httpd", workers: "MaxRequestWorkers", idle: "KeepAliveTimeout", pool: "ProxyPass ttl=", limit: "GracefulShutdownTimeout", backlog: "ListenBacklog", write: "TimeOut", body: "LimitRequestBody", most: "MaxRequestWorkers"},
	{program: "php-fpm", workers: "pm.max_children", gently: true, limit: "request_terminate_timeout", backlog: "listen.backlog", most: "pm.max_children"},
	{program: "uwsgi", workers: "processes, threads", idle: "http-keepalive", limit: "harakiri", backlog: "listen"},
	{program: "uvicorn", exact: true, idle: "--timeout-keep-alive", limit: "--timeout-graceful-shutdown", backlog: "--backlog"},
	{program: "puma", workers: "workers, threads", idle: "persistent_timeout", first: "first_data_timeout", limit: "worker_timeout"},
	{program: "unicorn", workers: "worker_processes", limit: "timeout", backlog: "listen :backlog"},
	{program: "envoy", exact: true, idle: "common_http_protocol_options.idle_timeout", pool: "common_http_protocol_options.idle_timeout of the cluster", backlog: "tcp_backlog_size"},
	{program: "memcached", idle: "-o idle_timeout", backlog: "-b", body: "-I", most: "-c"},
	{program: "sshd", idle: "ClientAliveInterval, ClientAliveCountMax", first: "LoginGraceTime", limit: "LoginGraceTime", most: "MaxStartups"},
	{program: "lighttpd", idle: "server.max-keep-alive-idle", write: "server.max-write-idle", body: "server.max-request-size", most: "server.max-connections"},
	{program: "varnishd", idle: "timeout_idle", pool: "backend_idle_timeout"},
	{program: "cache-", idle: "timeout_idle", pool: "backend_idle_timeout"},
}

// ends are how the name of a program's processes goes on; the kernel cuts names after 15 bytes.
var ends = []string{"", "d", "js", "-MainThread", "-server", "-sentinel", "-rdb-bgsav", "-aof-rewri", "-core", "-session", "-debug", "-prefork", "-worker", "-event"}

// same reports whether a name that goes on like that is of the program itself, and not of one that
// watches it (node_exporter) or only begins like it (node-problem-detector).
func (k *knobs) same(rest string) bool {
	return slices.Contains(ends, rest) || strings.HasSuffix(k.program, "-") || strings.ContainsRune("0123456789.: ", rune(rest[0]))
}

// knobsOf returns the settings of a program, the zero value if it is not known.
func knobsOf(process string) (k knobs) {
	for i := range programs {
		p := &programs[i]
		if rest, is := strings.CutPrefix(process, p.program); is && p.same(rest) {
			return *p
		}
	}
	return k
}

// bracket puts a setting after the program that has it.
func bracket(knob string) string {
	if knob == "" {
		return ""
	}
	return " (" + knob + ")"
}

// serverOf and clientOf return the processes of a group's connections by their roles.
func (g *group) serverOf() string {
	if g.key.passive {
		return g.key.process
	}
	return g.partner
}

func (g *group) clientOf() string {
	if g.key.passive {
		return g.partner
	}
	return g.key.process
}

// sides names the client and the server: by their addresses where no process is known.
func (g *group) sides() (client, server string) {
	if g.key.passive {
		return cmp.Or(g.clientOf(), g.peerName()), cmp.Or(g.serverOf(), address(g.local))
	}
	return cmp.Or(g.clientOf(), address(g.local)), cmp.Or(g.serverOf(), g.peerName())
}

// killAdvice says what to change when another process ended one by a signal.
func (g *group) killAdvice(otherwise string) string {
	k := knobsOf(cmp.Or(g.killer, g.key.process))
	limit := k.limit
	switch {
	case g.recovers():
		return crashRecovery
	case g.killer != "" && g.killer == g.key.process && !violent(g.signal()) && !k.gently:
		return g.killer + " told its worker to end, by a reload, a scale-down or a stop, and requests were not finished: take it out of the load balancer first, give it time to answer, and let clients try again on a new connection."
	case k.grace != "" && g.killer == g.key.process && g.signal() == "SIGKILL":
		return g.killer + " killed what did not end: either a worker that took longer than its time limit" + bracket(limit) + ", as its log then says (WORKER TIMEOUT), or, when it was stopped or reloaded, those that had not finished in time" + bracket(k.grace) + ": make the requests faster, or raise that limit."
	case limit != "" && g.killer != "" && strings.HasPrefix(g.key.process, knobsOf(g.killer).program):
		return g.killer + " ends a worker that takes longer than its time limit" + bracket(limit) +
			": make the request faster, move it out of the request, or raise the limit; the time limit of the proxy before it must be the longer one. Its log has the kill at this time."
	case g.killer == "systemd" && !violent(g.signal()):
		return "systemd stopped or restarted the unit, and requests were under way: take it out of the load balancer first, and let it answer what it has before it ends; journalctl -u has the reason."
	case g.killer == "systemd":
		return "systemd stopped the unit, and it did not end by itself in time: let it stop accepting and answer what it has (TimeoutStopSec=, KillMode=mixed); journalctl -u has the reason."
	case strings.HasPrefix(g.killer, "containerd-shim") || g.killer == "dockerd" || g.killer == "runc" || g.killer == "conmon" || g.killer == "kubelet":
		return "The container was stopped: let it answer what it has when SIGTERM comes (preStop hook, readiness), and give it the time (terminationGracePeriodSeconds, docker stop --time)."
	}
	return otherwise
}
