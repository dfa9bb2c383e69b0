package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// web serves /metrics.
type web struct {
	server   *http.Server
	listener net.Listener
	done     sync.WaitGroup
}

func serve(address string, m *meter) (*web, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w; --metrics-listen chooses another address", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, EnableOpenMetrics: true}))
	w := &web{listener: l, server: &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}}
	w.done.Go(func() { _ = w.server.Serve(l) }) // ends with close, which has its error
	return w, nil
}

func (w *web) address() string {
	if w == nil {
		return ""
	}
	return w.listener.Addr().String()
}

func (w *web) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := w.server.Shutdown(ctx)
	if err != nil {
		err = w.server.Close()
	}
	w.done.Wait()
	return err
}

// ServiceAccount is the folder of a pod's service account: its token and the cluster's certificate.
const ServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// watchFor is how long one request watches; the server then ends it.
const watchFor = 5 * time.Minute

var (
	errOutside = errors.New("not in a pod with a service account: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
	errExpired = errors.New("the server no longer has what changed since") // 410 Gone
)

// apiClient asks the API server of the cluster that this pod is in, read-only. The official
// client has more than a list and a watch need: its least part (rest, cache, core/v1) made a
// small program 12 MB larger, and initialises 65 more packages at every start.
type apiClient struct {
	base    string
	account string
	http    *http.Client
}

// newAPIClient takes the server's address from the variables of the pod.
func newAPIClient(account string) (*apiClient, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errOutside
	}
	pem, err := os.ReadFile(filepath.Join(account, "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s/ca.crt: no certificate", account)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: time.Minute,
	}
	return &apiClient{base: "https://" + net.JoinHostPort(host, port) + "/api/v1/", account: account, http: &http.Client{Transport: transport}}, nil
}

// get asks for a resource. The token is read each time: it is renewed every hour.
func (c *apiClient) get(ctx context.Context, resource string, query url.Values) (io.ReadCloser, error) {
	token, err := os.ReadFile(filepath.Join(c.account, "token"))
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+resource+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	request.Header.Set("Accept", "application/json")
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusGone {
		return nil, errExpired
	}
	var said apiStatus
	_ = json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&said) // it may be of a proxy
	return nil, fmt.Errorf("list %s: %s: %.300q", resource, answer.Status, said.Message)
}

// list yields every object, one at a time, and returns the version of the list. Version
// 0 lets the server answer from memory.
func (c *apiClient) list(ctx context.Context, resource string, each func(*apiObject)) (version string, err error) {
	body, err := c.get(ctx, resource, url.Values{"resourceVersion": {"0"}})
	if err != nil {
		return "", err
	}
	defer body.Close()
	in := json.NewDecoder(body)
	if _, err := in.Token(); err != nil { // {
		return "", err
	}
	for in.More() {
		member, err := in.Token()
		if err != nil {
			return "", err
		}
		switch member {
		case "metadata":
			var about apiMetadata
			if err := in.Decode(&about); err != nil {
				return "", err
			}
			version = about.ResourceVersion
		case "items":
			if err := apiItems(in, each); err != nil {
				return "", err
			}
		default:
			if err := in.Decode(new(json.RawMessage)); err != nil {
				return "", err
			}
		}
	}
	if _, err := in.Token(); err != nil { // }, without which the list was cut
		return "", err
	}
	return version, nil
}

func apiItems(in *json.Decoder, each func(*apiObject)) error {
	if start, err := in.Token(); err != nil || start == nil { // null: an empty list
		return err
	}
	for in.More() {
		var o apiObject
		if err := in.Decode(&o); err != nil {
			return err
		}
		each(&o)
	}
	_, err := in.Token()
	return err
}

// watch yields what changes after a version until the server ends it, and returns the
// last version.
func (c *apiClient) watch(ctx context.Context, resource, version string, each func(change string, o *apiObject)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, watchFor+time.Minute) // also if the server is gone without a word
	defer cancel()
	body, err := c.get(ctx, resource, url.Values{
		"watch": {"1"}, "resourceVersion": {version}, "allowWatchBookmarks": {"true"},
		"timeoutSeconds": {strconv.Itoa(int(watchFor.Seconds()))},
	})
	if err != nil {
		return version, err
	}
	defer body.Close()
	for in := json.NewDecoder(body); ; {
		var event struct {
			Type   string
			Object json.RawMessage
		}
		if err := in.Decode(&event); errors.Is(err, io.EOF) {
			return version, nil
		} else if err != nil {
			return version, err
		}
		if event.Type == "ERROR" {
			var said apiStatus
			if json.Unmarshal(event.Object, &said) == nil && said.Code == http.StatusGone {
				return version, errExpired
			}
			return version, fmt.Errorf("watch %s: %.300q", resource, said.Message)
		}
		var o apiObject
		if err := json.Unmarshal(event.Object, &o); err != nil {
			return version, err
		}
		version = o.Metadata.ResourceVersion
		if event.Type != "BOOKMARK" {
			each(event.Type, &o)
		}
	}
}
