package findings

import (
	"strconv"
	"time"
)

// known are idle times that are the default of some software: a hint, not a proof.
var known = []struct {
	time time.Duration
	of   string
}{
	{2 * time.Second, "gunicorn"},
	{5 * time.Second, "Node and uvicorn; Apache"},
	{15 * time.Second, "Jetty's and Puma's persistence"},
	{20 * time.Second, "Tomcat"},
	{30 * time.Second, "common in frameworks"},
	{60 * time.Second, "HAProxy, AWS ALB, nginx's upstream keep-alive"},
	{75 * time.Second, "nginx keep-alive"},
	{90 * time.Second, "Go's client"},
	{100 * time.Second, "Cloudflare's proxy"},
	{3 * time.Minute, "Go servers behind some proxies"},
	{4 * time.Minute, "Azure load balancer"},
	{350 * time.Second, "AWS NLB"},
	{600 * time.Second, "GCP load balancer; PgBouncer"},
	{15 * time.Minute, "many firewalls"},
	{30 * time.Minute, "many firewalls"},
	{time.Hour, "Envoy; many firewalls"},
	{8 * time.Hour, "MySQL and MariaDB wait_timeout"},
}

// hint names whose default an idle time is, within 3 % (at least 100 ms).
func hint(d time.Duration) string {
	for _, k := range known {
		off := d - k.time
		if off >= -k.time/100 && off <= max(k.time*3/100, 100*time.Millisecond) {
			return " (a default of: " + k.of + ")"
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

func were(n uint64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}
