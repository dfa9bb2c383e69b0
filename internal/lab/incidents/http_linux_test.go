package incidents

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const hello = `def app(environ, start_response):
    start_response('200 OK', [('Content-Length', '3')])
    return [b'ok\n']
`

const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// nginxConf is what every nginx here needs.
const nginxConf = `daemon off; pid $DIR/nginx.pid; error_log $DIR/error.log info; worker_processes 1;
events{} http{ access_log off; client_body_temp_path $DIR/t1; proxy_temp_path $DIR/t2; fastcgi_temp_path $DIR/t3;
uwsgi_temp_path $DIR/t4; scgi_temp_path $DIR/t5; client_max_body_size 50m;
%s
}
`

func (s *scene) nginx(ns, server string, port int) *exec.Cmd {
	s.t.Helper()
	c := s.start(ns, "nginx", "-c", s.file("nginx.conf", fmt.Sprintf(nginxConf, server)))
	s.listening(ns, port)
	return c
}

// TestBacklogOfGunicorn: benoitc/gunicorn#2529. SIGTERM drops the connections that wait in
// the backlog while the only worker is busy.
func TestBacklogOfGunicorn(t *testing.T) {
	s := newScene(t, []string{"a"}, "gunicorn", "curl")
	s.file("app.py", strings.Replace(hello, "    start", "    import time; time.sleep(5)\n    start", 1))
	server := s.start("a", "gunicorn", "-b", "127.0.0.1:8000", "app:app")
	s.listening("a", 8000)
	ended := make(chan string, 2)
	for i := range 2 { // the first is taken, the second waits
		go func() { ended <- s.run("a", "curl", "-sS", "http://127.0.0.1:8000/") }()
		s.sockets("a", "established", 8000, 2*i+2)
		time.Sleep(200 * time.Millisecond)
	}
	s.queued("a", 8000, 1)
	s.must("kill", fmt.Sprint(server.Process.Pid))
	<-ended
	<-ended
	s.says("backlog-dropped", "gunicorn", "1 connection")
}

// TestKeepaliveOfGunicorn: conbench/conbench#1156. gunicorn's keep-alive of 2 s is shorter
// than the idle time of the load balancer: its next request is answered with RST.
func TestKeepaliveOfGunicorn(t *testing.T) {
	s := newScene(t, []string{"lb", "web"}, "gunicorn")
	s.link("lb", "10.6.0.1", "web", "10.6.0.2")
	s.file("app.py", hello)
	server := s.start("web", "gunicorn", "-k", "gthread", "--threads", "4", "--keep-alive", "2", "-b", "10.6.0.2:8000", "app:app")
	s.listening("web", 8000)
	w := s.watched("web", s.worker(server))
	pool := s.keepAlive("lb", "10.6.0.2:8000", 10, 0)
	s.askTooLate(pool)
	s.says("keepalive-race", "gunicorn", "after 2", "10 requests")
	w.check()
}

const nodeServer = `const http = require('http');
const s = http.createServer((q, r) => { if (q.url == '/busy') { const t = Date.now(); while (Date.now() - t < 400); } r.end('ok\n'); });
%s
s.listen(3000, '127.0.0.1');
`

// TestKeepaliveOfNode: nodejs/node#20256 and #27363. keepAliveTimeout races with the next
// request of a pool.
func TestKeepaliveOfNode(t *testing.T) {
	s := newScene(t, []string{"a"}, "node")
	s.start("a", "node", s.file("server.js", fmt.Sprintf(nodeServer, "s.keepAliveTimeout = 1500;")))
	s.listening("a", 3000)
	s.askTooLate(s.keepAlive("a", "127.0.0.1:3000", 30, 0))
	s.says("keepalive-race", "node", "30 requests")
}

// TestBusyNodeClosesWithARequest: nodejs/node#26166. The event loop is busy when
// server.timeout is due; the socket is destroyed with the next request unread.
func TestBusyNodeClosesWithARequest(t *testing.T) {
	s := newScene(t, []string{"a"}, "node")
	s.start("a", "node", s.file("server.js", fmt.Sprintf(nodeServer, "s.timeout = 3000; s.keepAliveTimeout = 0;")))
	s.listening("a", 3000)
	for range 5 { // on a slow machine the timer or the request may be late
		err := s.askBusyNode()
		if err != nil && !errors.Is(err, io.EOF) {
			break // reset: it was closed with the request unread
		}
		t.Logf("again: %v", err)
		time.Sleep(500 * time.Millisecond)
		s.begin()
	}
	s.says("request-lost", "node", "27 B")
}

// TestContainerDoesNotListen: moby/moby#13847. docker-proxy accepts; the program in the container
// listens on 127.0.0.1 only.
func TestContainerDoesNotListen(t *testing.T) {
	s := newScene(t, []string{"host", "box"}, "docker-proxy", "curl", "python3")
	s.link("host", "172.19.0.1", "box", "172.19.0.2")
	s.start("host", "python3", s.file("proxy.py", `import os
r, w = os.pipe()
if os.fork() == 0:
    os.close(r); os.dup2(w, 3); os.set_inheritable(3, True)
    os.execvp('docker-proxy', ['docker-proxy', '-proto', 'tcp', '-host-ip', '127.0.0.1', '-host-port', '5000', '-container-ip', '172.19.0.2', '-container-port', '5000'])
os.close(w); os.read(r, 99); os.wait()
`))
	s.listening("host", 5000)
	s.run("host", "curl", "-sS", "http://127.0.0.1:5000/")
	s.says("upstream-refused", "docker-proxy", "172.19.0.2:5000", "curl")
}

// TestEarlyAnswer: nodejs/node#54366. HAProxy answers 401 during an upload and closes; the
// client never sees the answer.
func TestEarlyAnswer(t *testing.T) {
	s := newScene(t, []string{"a"}, "haproxy", "node")
	s.start("a", "haproxy", "-f", s.file("haproxy.cfg", `defaults
 mode http
 timeout connect 2s
 timeout client 5s
 timeout server 5s
frontend f
 bind 127.0.0.1:8008
 http-request deny deny_status 401
`))
	s.listening("a", 8008)
	client := s.file("client.js", `const c = require('http').request('http://127.0.0.1:8008', {method: 'POST'});
c.once('response', r => { r.resume(); r.on('error', e => console.log(e.code)); });
c.on('error', e => console.log(e.code));
c.end(Buffer.alloc(10*1024*1024));
`)
	for range 2 {
		s.run("a", "node", client)
	}
	s.says("early-answer", "haproxy", "2 connections")
}

// TestHalfClose: nmap/nmap#1229, envoyproxy/envoy#2067. The client closes its sending side
// after the request; the proxy takes that for an abort.
func TestHalfClose(t *testing.T) {
	s := newScene(t, []string{"a"}, "nginx", "python3")
	s.start("a", "python3", s.file("up.py", `import http.server, time
class H(http.server.BaseHTTPRequestHandler):
    def do_POST(s):
        s.rfile.read(int(s.headers['content-length'])); time.sleep(1)
        s.send_response(200); s.send_header('Content-Length', '20'); s.end_headers(); s.wfile.write(b'x'*20)
http.server.ThreadingHTTPServer(('127.0.0.1', 8081), H).serve_forever()
`))
	s.listening("a", 8081)
	s.nginx("a", "server{ listen 127.0.0.1:8080; location / { proxy_pass http://127.0.0.1:8081; } }", 8080)
	c := s.dial("a", "127.0.0.1:8080")
	_, _ = c.Write([]byte("POST /v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 7\r\n\r\n{\"q\":1}"))
	_ = c.CloseWrite()
	if text, err := ask(c, ""); text != "" {
		t.Fatalf("the proxy answered %q, %v", text, err)
	}
	c.Close()
	time.Sleep(1200 * time.Millisecond)
	s.says("half-close-taken-as-abort", "nginx", "1 connection")
}

// TestWorkerOfPHPIsTerminated: nginx "104: Connection reset by peer" in front of php-fpm,
// whose request_terminate_timeout kills the worker by SIGTERM.
func TestWorkerOfPHPIsTerminated(t *testing.T) {
	s := newScene(t, []string{"a"}, "php-fpm8.2", "nginx", "curl")
	s.file("slow.php", "<?php sleep(8); echo 1;")
	server := s.start("a", "php-fpm8.2", "-y", s.file("fpm.conf", `[global]
error_log = $DIR/fpm.log
daemonize = no
[www]
user = www-data
group = www-data
listen = 127.0.0.1:9000
pm = static
pm.max_children = 1
request_terminate_timeout = 2
`))
	s.listening("a", 9000)
	s.nginx("a", "server{ listen 127.0.0.1:8080; location / { fastcgi_pass 127.0.0.1:9000; fastcgi_param SCRIPT_FILENAME $DIR/slow.php; fastcgi_param REQUEST_METHOD $request_method; } }", 8080)
	w := s.watched("a", s.worker(server))
	if code := s.run("a", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8080/slow.php"); code != "502" {
		t.Fatalf("got %s, want 502", code)
	}
	s.says("process-killed", "php-fpm8.2", "SIGTERM", "1 request")
	w.check()
}

// TestCloseNotify: curl/curl#10290. A client leaves the server's TLS close_notify unread:
// RST after a good exchange.
func TestCloseNotify(t *testing.T) {
	s := newScene(t, []string{"a"}, "nginx", "openssl", "python3")
	s.must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", s.dir+"/k.pem", "-out", s.dir+"/c.pem", "-days", "2", "-subj", "/CN=localhost")
	s.file("www/x", "x")
	server := s.nginx("a", "server{ listen 127.0.0.1:8443 ssl; ssl_certificate $DIR/c.pem; ssl_certificate_key $DIR/k.pem; root $DIR/www; keepalive_timeout 0; }", 8443)
	w := s.watched("a", s.worker(server))
	s.run("a", "python3", s.file("client.py", `import http.client, ssl, time
for i in range(5):
    c = http.client.HTTPSConnection('localhost', 8443, context=ssl._create_unverified_context())
    c.request('GET', '/x'); r = c.getresponse(); print(r.status, r.read()); time.sleep(.3); c.close()
`))
	s.says("tls-close-notify", "nothing is lost")
	w.check()
}

// askBusyNode asks just before server.timeout is over, while the loop is busy.
func (s *scene) askBusyNode() error {
	s.t.Helper()
	c := s.dial("a", "127.0.0.1:3000")
	for range 2 {
		if text, err := ask(c, request); err != nil {
			s.t.Fatal(text, err)
		}
	}
	time.Sleep(2800 * time.Millisecond)
	busy := s.dial("a", "127.0.0.1:3000")
	_, _ = busy.Write([]byte("GET /busy HTTP/1.1\r\nHost: x\r\n\r\n"))
	time.Sleep(100 * time.Millisecond)
	_, err := ask(c, request)
	return err
}
