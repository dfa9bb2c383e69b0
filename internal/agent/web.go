package agent

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// web serves /metrics, and /healthz for probes.
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
	metrics := &page{from: m.registry}
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", metrics.health)
	w := &web{listener: l, server: &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ConnState: new(scrapers).changed,
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

// page is /metrics. It is made at most once a second, whoever asks how often, and nobody
// who reads it slowly holds the lock.
type page struct {
	from prometheus.Gatherer

	began         atomic.Int64 // when it began to be made, in Unix nanoseconds; 0: it is not being made
	mu            sync.Mutex
	made          time.Time
	plain, zipped []byte
}

// pageAge is how old a page may be.
const pageAge = time.Second

// ServeHTTP implements [http.Handler].
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	plain, zipped, err := p.current()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		plain = zipped
	}
	_, _ = w.Write(plain)
}

// health fails if the page is being made for ever.
func (p *page) health(w http.ResponseWriter, _ *http.Request) {
	if began := p.began.Load(); began != 0 && time.Since(time.Unix(0, began)) > time.Minute {
		http.Error(w, "the metrics are not ready since a minute", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (p *page) current() (plain, zipped []byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made.IsZero() || time.Since(p.made) >= pageAge {
		p.began.Store(time.Now().UnixNano())
		err := p.render()
		p.began.Store(0)
		if err != nil {
			return nil, nil, fmt.Errorf("gather metrics: %w", err)
		}
		p.made = time.Now()
	}
	return p.plain, p.zipped, nil
}

func (p *page) render() error {
	families, err := p.from.Gather()
	if err != nil {
		return err
	}
	var plain, zipped bytes.Buffer
	to := expfmt.NewEncoder(&plain, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := to.Encode(f); err != nil {
			return err
		}
	}
	gz := gzip.NewWriter(&zipped)
	_, _ = gz.Write(plain.Bytes()) // into memory
	_ = gz.Close()
	p.plain, p.zipped = plain.Bytes(), zipped.Bytes()
	return nil
}
