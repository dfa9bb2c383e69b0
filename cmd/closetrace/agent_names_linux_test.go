package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestAgentNamesPeers: in its sandbox the agent asks the API server with the pod's
// account, and the Collector gets the names.
func TestAgentNamesPeers(t *testing.T) {
	needCapabilities(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Query().Get("watch") != "":
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case r.URL.Path == "/api/v1/services":
			fmt.Fprint(w, `{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"cart","namespace":"shop","uid":"u"},"spec":{"clusterIP":"127.0.0.1"}}]}`)
		default:
			fmt.Fprint(w, `{"metadata":{"resourceVersion":"7"},"items":[]}`)
		}
	}))
	defer server.Close()
	defer server.CloseClientConnections()
	account := t.TempDir()
	for name, text := range map[string][]byte{
		"token": []byte("token\n"), "ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	} {
		if err := os.WriteFile(filepath.Join(account, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var named atomic.Bool
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // protobuf has texts as they are, with their length before
		if err == nil && bytes.Contains(body, []byte("\n\x1dpeer_process.k8s.service.name\x12\x06\n\x04cart")) && bytes.Contains(body, []byte("linger-zero")) {
			named.Store(true)
		}
	}))
	defer sink.Close()
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// A mount namespace has the folder that a pod has.
	const inPod = `mount -t tmpfs none /run && mkdir -p "$1" && mount --bind "$2" "$1" && shift 2 && exec "$@"`
	const folder = "/run/secrets/kubernetes.io/serviceaccount"
	c := exec.Command("unshare", "--mount", "sh", "-ec", inPod, "sh", folder, account,
		program(t), "agent", "--k8s-api", "--metrics-listen", "", "--otlp-endpoint", sink.URL)
	c.Env = append(os.Environ(), "KUBERNETES_SERVICE_HOST="+host, "KUBERNETES_SERVICE_PORT="+port)
	var said strings.Builder
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { c.Process.Kill(); c.Wait() }()
	for deadline := time.Now().Add(time.Minute); !named.Load(); time.Sleep(300 * time.Millisecond) {
		resetBy(t)
		if time.Now().After(deadline) {
			c.Process.Kill()
			c.Wait()
			t.Fatalf("no end of the service arrives within a minute: %s", &said)
		}
	}
}

// TestAgentOutsideOfCluster: --k8s-api where there is no cluster is a mistake.
func TestAgentOutsideOfCluster(t *testing.T) {
	c := exec.Command(program(t), "agent", "--k8s-api")
	c.Env = append(os.Environ(), "KUBERNETES_SERVICE_HOST=")
	out, err := c.CombinedOutput()
	if c.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(out), "not in a pod with a service account") {
		t.Errorf("%v: %s", err, out)
	}
}
