package agent

import (
	"context"
	"fmt"
	"net"
	"net/http"
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
