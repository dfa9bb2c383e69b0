package cluster

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
	"time"
)

// Account is the folder of a pod's service account: its token and the cluster's certificate.
const Account = "/var/run/secrets/kubernetes.io/serviceaccount"

// watchFor is how long one request watches; the server then ends it.
const watchFor = 5 * time.Minute

var (
	errOutside = errors.New("not in a pod with a service account: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
	errExpired = errors.New("the server no longer has what changed since") // 410 Gone
)

// client asks the API server of the cluster that this pod is in.
type client struct {
	base    string
	account string
	http    *http.Client
}

// newClient takes the server's address from the variables of the pod.
func newClient(account string) (*client, error) {
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
	return &client{base: "https://" + net.JoinHostPort(host, port) + "/api/v1/", account: account, http: &http.Client{Transport: transport}}, nil
}

// get asks for a resource. The token is read each time: it is renewed every hour.
func (c *client) get(ctx context.Context, resource string, query url.Values) (io.ReadCloser, error) {
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
	var said status
	_ = json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&said) // it may be of a proxy
	return nil, fmt.Errorf("list %s: %s: %.300q", resource, answer.Status, said.Message)
}

// list yields every object, one at a time, and returns the version of the list. Version
// 0 lets the server answer from memory.
func (c *client) list(ctx context.Context, resource string, each func(*object)) (version string, err error) {
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
			var about metadata
			if err := in.Decode(&about); err != nil {
				return "", err
			}
			version = about.ResourceVersion
		case "items":
			if err := items(in, each); err != nil {
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

func items(in *json.Decoder, each func(*object)) error {
	if start, err := in.Token(); err != nil || start == nil { // null: an empty list
		return err
	}
	for in.More() {
		var o object
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
func (c *client) watch(ctx context.Context, resource, version string, each func(change string, o *object)) (string, error) {
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
			var said status
			if json.Unmarshal(event.Object, &said) == nil && said.Code == http.StatusGone {
				return version, errExpired
			}
			return version, fmt.Errorf("watch %s: %.300q", resource, said.Message)
		}
		var o object
		if err := json.Unmarshal(event.Object, &o); err != nil {
			return version, err
		}
		version = o.Metadata.ResourceVersion
		if event.Type != "BOOKMARK" {
			each(event.Type, &o)
		}
	}
}
