package agent

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// httpClient returns what the exporter of a signal, such as LOGS, would make by the standard
// variables, but it follows no redirect: where one leads is no Collector, and not to get the headers.
func httpClient(signal string) (*http.Client, error) {
	general, own := "OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_"+signal+"_"
	variable := func(name string) string { return cmp.Or(os.Getenv(own+name), os.Getenv(general+name)) }
	milliseconds, err := strconv.Atoi(cmp.Or(variable("TIMEOUT"), "10000"))
	if err != nil { // as the exporter of gRPC does
		otel.Handle(fmt.Errorf("%sTIMEOUT: want a number of milliseconds, take 10000: %w", general, err))
		milliseconds = 10000
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("the default transport of HTTP was replaced")
	}
	transport = transport.Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if path := variable("CERTIFICATE"); path != "" {
		text, err := os.ReadFile(path) // #nosec G304 G703 -- the operator's choice
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificate", path)
		}
	}
	for _, prefix := range []string{own, general} {
		certificate, key := os.Getenv(prefix+"CLIENT_CERTIFICATE"), os.Getenv(prefix+"CLIENT_KEY")
		if certificate == "" || key == "" {
			continue
		}
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig.Certificates = []tls.Certificate{pair}
		break
	}
	return &http.Client{
		Transport: transport, Timeout: time.Duration(milliseconds) * time.Millisecond,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// answers reads what the Collector said of a request, which the exporters make an error of.
type answers struct {
	next http.RoundTripper
	// rejected is how many records it did not take. OTLP forbids to send them again, or the others.
	rejected int64
	// never: it is a receiver of OTLP, and will never take this request.
	never bool
}

func (a *answers) take(r *collogs.ExportLogsServiceResponse) {
	a.rejected = r.GetPartialSuccess().GetRejectedLogRecords()
	if text := r.GetPartialSuccess().GetErrorMessage(); text != "" || a.rejected != 0 {
		otel.Handle(fmt.Errorf("the Collector rejected %d records: %.200s", a.rejected, text))
	}
	r.PartialSuccess = nil
}

// maxAnswer bounds what is read of one.
const maxAnswer = 64 << 10

// RoundTrip implements [http.RoundTripper].
func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	got, err := a.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	protocol := got.Header.Get("Content-Type") == "application/x-protobuf"
	if got.StatusCode/100 != 2 {
		// A server that is none, as one of HTTPS that is asked by HTTP, says 400 to everything.
		a.never = got.StatusCode == http.StatusBadRequest && protocol
		return got, nil
	}
	text, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer))
	if err = errors.Join(err, got.Body.Close()); err != nil {
		return nil, err
	}
	got.Body = http.NoBody
	var answer collogs.ExportLogsServiceResponse
	if protocol && proto.Unmarshal(text, &answer) == nil {
		a.take(&answer)
	}
	return got, nil
}

// intercept is a [grpc.UnaryClientInterceptor].
func (a *answers) intercept(ctx context.Context, method string, request, reply any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	err := invoke(ctx, method, request, reply, c, options...)
	a.never = status.Code(err) == codes.InvalidArgument
	if answer, ok := reply.(*collogs.ExportLogsServiceResponse); ok && err == nil {
		a.take(answer)
	}
	return err
}
