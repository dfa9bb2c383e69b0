package findings

import (
	"strings"
	"testing"
	"time"
)

// TestPrograms: what a name that begins like a program's is, after the kernel has cut it to 15 bytes.
func TestPrograms(t *testing.T) {
	for process, want := range map[string]string{
		"nginx": "nginx", "nginx: worker": "nginx", "nginx.exe": "nginx", "nginx-debug": "nginx", "nginx-ingress-c": "",
		"node": "node", "nodejs": "node", "node18": "node", "node-MainThread": "node", "node-cache": "", "node-problem-de": "", "node_exporter": "",
		"postgres": "postgres", "postgres:": "postgres", "postgrest": "", "php-fpm8.2": "php-fpm", "redis-server": "redis", "redis-rdb-bgsav": "redis",
		"mariadbd": "mariadb", "mysqld": "mysqld", "mysqld_exporter": "", "puma 6.4.2 (tcp": "puma", "gunicorn": "gunicorn", "unicorn": "unicorn",
		"cache-main": "cache-", "cache-worker": "cache-", "sshd-session": "sshd", "httpd-prefork": "httpd", "haproxy": "haproxy", "java": "",
	} {
		if got := knobsOf(process).program; got != want {
			t.Errorf("%q is %q, want %q", process, got, want)
		}
	}
}

// TestGunicornsKills: gunicorn aborts a worker at its time limit, kills what has not ended a second later,
// as one that computes in C does not, and what is left at the end of a stop (arbiter.py, murder_workers
// and stop).
func TestGunicornsKills(t *testing.T) {
	for _, c := range []struct{ signal, says, not string }{
		{"SIGABRT", "longer than its time limit (--timeout)", "--graceful-timeout"},
		{"SIGKILL", "longer than its time limit (--timeout), as its log then says (WORKER TIMEOUT), or", "was stopped or reloaded, and"},
		{"SIGKILL", "--graceful-timeout", "the proxy"},
		{"SIGTERM", "by a reload, a scale-down or a stop", "--timeout"},
	} {
		g := &group{key: key{process: "gunicorn"}, killer: "gunicorn", detail: c.signal, count: 3, detailed: 3}
		if got := g.killAdvice(""); !strings.Contains(got, c.says) || strings.Contains(got, c.not) {
			t.Errorf("%s: got %q, want %q and not %q", c.signal, got, c.says, c.not)
		}
	}
}

// TestDefaults: from the programs' manuals. One is recognised a little above it, and hardly
// below; a program that is known to run here has its own.
func TestDefaults(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, c := range []struct {
		idle    time.Duration
		process string
		port    uint16
		want    string
	}{
		{20 * time.Second, "puma", 8000, " (its default)"},
		{15 * time.Second, "puma", 8000, ""},
		{30 * time.Second, "", 8000, " (a default of: Jetty; common in frameworks)"},
		{60 * s, "", 8000, " (a default of: HAProxy, AWS ALB, nginx's upstream keep-alive)"},
		{60 * s, "nginx", 8000, " (its default)"},
		{75 * s, "nginx", 8000, " (its default)"},
		{75 * s, "haproxy", 8000, ""},
		{60 * s, "app", 8000, ""},
		{60*s + 1800*ms, "", 8000, " (a default of: HAProxy, AWS ALB, nginx's upstream keep-alive)"},
		{60*s + 1801*ms, "", 8000, ""},
		{59400 * ms, "", 8000, " (a default of: HAProxy, AWS ALB, nginx's upstream keep-alive)"},
		{59399 * ms, "", 8000, ""},
		{2*s + 100*ms, "gunicorn", 8000, " (its default)"},
		{2*s + 101*ms, "gunicorn", 8000, ""},
		{90 * s, "", 8000, " (a default of: Go's client)"},
		{90 * s, "app", 8000, ""},
		{45 * s, "", 8000, ""},
		{5 * s, "", 8000, " (a default of: Node and uvicorn; Apache)"},
		{5 * s, "", 443, " (a default of: Node and uvicorn; Apache)"},
		{5 * s, "", 389, ""}, // LDAP
		{5 * s, "", 993, ""},
		{60 * s, "", 9092, ""},
		{350 * s, "", 5432, " (a default of: AWS NLB)"},
	} {
		if got := hint(c.idle, c.process, c.port); got != c.want {
			t.Errorf("%v of %q (port %d): got %q, want %q", c.idle, c.process, c.port, got, c.want)
		}
	}
}
