package findings

import (
	"slices"
	"strconv"
	"time"
)

// known are idle times that are the default of some software: a hint, not a proof. by are
// those of it that are in programs, and web says that all of it speaks HTTP.
var known = []struct {
	time time.Duration
	of   string
	by   []string
	web  bool
}{
	{2 * time.Second, "gunicorn", []string{"gunicorn"}, true},
	{5 * time.Second, "Node and uvicorn; Apache", []string{"node", "uvicorn", "apache2", "httpd", "lighttpd", "varnishd", "cache-"}, true},
	{20 * time.Second, "Tomcat and Puma", []string{"puma"}, true},
	{30 * time.Second, "Jetty; common in frameworks", nil, true},
	{60 * time.Second, "HAProxy, AWS ALB, nginx's upstream keep-alive", []string{"haproxy", "nginx"}, true},
	{75 * time.Second, "nginx keep-alive", []string{"nginx"}, true},
	{90 * time.Second, "Go's client", nil, true},
	{100 * time.Second, "Cloudflare's proxy", nil, true},
	{3 * time.Minute, "Go servers behind some proxies", nil, true},
	{4 * time.Minute, "Azure load balancer", nil, false},
	{350 * time.Second, "AWS NLB", nil, false},
	{600 * time.Second, "GCP load balancer; PgBouncer", []string{"pgbouncer"}, false},
	{15 * time.Minute, "many firewalls", nil, false},
	{30 * time.Minute, "many firewalls", nil, false},
	{time.Hour, "Envoy; many firewalls", []string{"envoy"}, false},
	{8 * time.Hour, "MySQL and MariaDB wait_timeout", []string{"mysqld", "mariadb"}, false},
}

// otherPorts are those of further protocols than HTTP: SSH, DNS, FTP and IMAP by TLS, NNTP, NFS, Kafka,
// Cassandra and MongoDB.
var otherPorts = []uint16{22, 53, 119, 563, 853, 989, 990, 993, 2049, 9042, 9092, 27017}

// notWeb: what is served at this port is not HTTP.
func notWeb(port uint16) bool {
	return goodbyesAt(port) != nil || slices.Contains(slices.Concat(otherPorts, brokerPorts, mutePorts, mailPorts), port)
}

// hint names whose default an idle time at a port is, within 3 % (at least 100 ms). A program that is
// known to run here closes by its own.
func hint(d time.Duration, process string, port uint16) string {
	program := knobsOf(process).program // "" if it has no settings here
	for _, k := range known {
		off := d - k.time
		switch {
		case off < -k.time/100 || off > max(k.time*3/100, 100*time.Millisecond):
		case process == "" && k.web && notWeb(port):
		case process == "": // on another host
			return " (a default of: " + k.of + ")"
		case program != "" && slices.Contains(k.by, program):
			return " (its default)"
		}
	}
	return ""
}

func plural(n uint64, one, many string) string {
	if many == "" {
		return strconv.FormatUint(n, 10)
	}
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatUint(n, 10) + " " + many
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatUint(n, 10) + " times"
}

func itThey(n uint64) string {
	if n == 1 {
		return "it was"
	}
	return "they were"
}

func itThem(n uint64) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

func were(n uint64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}
