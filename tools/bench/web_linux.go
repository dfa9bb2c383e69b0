package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What a user sees: requests a second of nginx, asked by wrk, beside each tracer. Server and
// client are a helper's, in a network namespace of its own.

// webLoad is one way to ask.
type webLoad struct {
	name, path string
	closes     bool // each request has a connection of its own
}

var webLoads = []webLoad{
	{"nginx, `Connection: close`", "8080/", true},
	{"nginx, keep-alive", "8080/", false},
	{"HAProxy to nginx, `Connection: close`", "8081/", true},
}

const webConnections = 20

const nginxConfig = `daemon off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 100000000; client_body_temp_path body; proxy_temp_path proxy;
fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
server { listen 127.0.0.1:8080; return 200 "ok\n"; } }
`

const haproxyConfig = `global
	nbthread 1
defaults
	mode http
	option httpclose
	timeout connect 5s
	timeout client 5s
	timeout server 5s
frontend web
	bind 127.0.0.1:8081
	default_backend web
backend web
	server one 127.0.0.1:8080
`

// webMain is the command "web".
func webMain(args []string) error {
	var s settings
	set := flag.NewFlagSet("bench web", flag.ExitOnError)
	set.StringVar(&s.closetrace, "closetrace", "build/closetrace", "program to measure")
	set.StringVar(&s.folder, "folder", memoryFolder(), "where the tracers write")
	set.DurationVar(&s.length, "length", 4*time.Second, "how long wrk asks")
	set.IntVar(&s.rounds, "rounds", 3, "rounds, of which the median counts")
	set.IntVar(&s.ring, "ring", 16, "closetrace's ring buffer in MiB")
	if err := set.Parse(args); err != nil {
		return err
	}
	only := regexp.MustCompile(`^closetrace (record|live)$|^bpftrace|^tcplife|^tcpdump -w`)
	var err error
	if s.reserve, err = newReserve(s.folder, 64<<20); err != nil {
		return err
	}
	defer s.reserve.Close()
	all := contenders(&s, only)
	rates := make([][][]float64, len(all)) // by tracer and load
	for range s.rounds {
		for i := range all {
			one, err := s.web(&all[i])
			if err != nil {
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
			if rates[i] == nil {
				rates[i] = make([][]float64, len(webLoads))
			}
			for j, rate := range one {
				rates[i][j] = append(rates[i][j], rate)
			}
		}
	}
	fmt.Print("| requests/s |")
	for _, c := range all {
		fmt.Printf(" %s |", c.name)
	}
	fmt.Printf("\n|---|%s\n", strings.Repeat("--:|", len(all)))
	for j, l := range webLoads {
		fmt.Printf("| %s |", l.name)
		untraced := middle(rates[0][j])
		for i := range all {
			rate := middle(rates[i][j])
			fmt.Printf(" %.0f (%.2f) |", rate, rate/untraced)
		}
		fmt.Println()
	}
	return nil
}

// web measures all loads beside one tracer.
func (s *settings) web(c *contender) ([]float64, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "bench-web-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	servers, err := startHelper(exec.Command(self, "servers", folder, fmt.Sprint(s.length)), unix.CLONE_NEWNET)
	if err != nil {
		return nil, err
	}
	defer func() { _ = servers.in.Close(); _ = servers.process.Wait() }()
	if c.command != nil {
		t, err := c.begin(s, servers.process.Process.Pid)
		if err != nil {
			return nil, err
		}
		defer func() { _ = t.end(); _ = os.Remove(t.path) }()
	}
	var rates []float64
	for i := range webLoads {
		if _, err := fmt.Fprintln(servers.in, i); err != nil {
			return nil, err
		}
		if !servers.out.Scan() {
			return nil, errors.New("the servers failed")
		}
		rate, err := strconv.ParseFloat(servers.out.Text(), 64)
		if err != nil {
			return nil, err
		}
		rates = append(rates, rate)
	}
	return rates, nil
}

// serversMain is the command "servers": a line with the number of a load asks for its
// requests a second.
func serversMain(args []string) error {
	folder, length := args[0], args[1]
	if err := loopbackUp(); err != nil {
		return err
	}
	for name, text := range map[string]string{"nginx.conf": nginxConfig, "haproxy.cfg": haproxyConfig} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	for _, command := range [][]string{{"nginx", "-p", folder, "-c", "nginx.conf"}, {"haproxy", "-db", "-q", "-f", filepath.Join(folder, "haproxy.cfg")}} {
		server := exec.Command(command[0], command[1:]...)
		server.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGTERM}
		server.Stderr = os.Stderr
		if err := server.Start(); err != nil {
			return err
		}
		defer func() { _ = server.Process.Signal(unix.SIGTERM); _ = server.Wait() }()
	}
	for _, l := range webLoads {
		if err := answers(l.path); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		i, err := strconv.Atoi(asked.Text())
		if err != nil {
			return err
		}
		rate, err := webLoads[i].ask(length)
		if err != nil {
			return err
		}
		fmt.Println(rate)
	}
	return nil
}

// answers waits until a server does.
func answers(path string) error {
	var err error
	for range 100 {
		if err = exec.Command("curl", "-sf", "-o", "/dev/null", "http://127.0.0.1:"+path).Run(); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("no answer from 127.0.0.1:%s: %w", path, err)
}

func (l *webLoad) ask(length string) (float64, error) {
	command := []string{"-t1", "-c" + strconv.Itoa(webConnections), "-d" + length}
	if l.closes {
		command = append(command, "-H", "Connection: close")
	}
	text, err := exec.Command("wrk", append(command, "http://127.0.0.1:"+l.path)...).Output()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w", err)
	}
	return requestsPerSecond(string(text))
}

var wrkRate = regexp.MustCompile(`(?m)^Requests/sec:\s+([\d.]+)$`)

// requestsPerSecond reads it from what wrk prints. Answers that are no success do not count.
func requestsPerSecond(text string) (float64, error) {
	found := wrkRate.FindStringSubmatch(text)
	if found == nil || strings.Contains(text, "Non-2xx") {
		return 0, fmt.Errorf("wrk was not answered: %s", strings.TrimSpace(text))
	}
	return strconv.ParseFloat(found[1], 64)
}

// middle is the median.
func middle(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}
