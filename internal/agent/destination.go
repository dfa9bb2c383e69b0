package agent

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/grpc"
)

// Exports reports whether records are to be sent: an endpoint is given, or one of the
// standard variables is.
func Exports(endpoint string) bool {
	return endpoint != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT") != ""
}

// destination is a Collector. The exporters take everything else, such as headers and
// certificates, from the standard variables.
type destination struct {
	url  *url.URL // nil: from the variables
	grpc bool
}

// CheckEndpoint reports what is wrong with the URL of a Collector.
func CheckEndpoint(endpoint string) error {
	_, err := destinationOf(endpoint)
	return err
}

// destinationOf reads an endpoint such as http://host:4318 or grpc://host:4317.
func destinationOf(endpoint string) (destination, error) {
	protocol := os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
	d := destination{grpc: protocol == "grpc"}
	if protocol != "" && protocol != "grpc" && protocol != "http/protobuf" {
		return d, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL %q: want grpc or http/protobuf", protocol)
	}
	if endpoint == "" {
		return d, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return d, fmt.Errorf("endpoint %q: want a URL such as http://collector:4318 or grpc://collector:4317", endpoint)
	}
	switch u.Scheme {
	case "http", "https":
	case "grpc":
		d.grpc, u.Scheme = true, "http"
	case "grpcs":
		d.grpc, u.Scheme = true, "https"
	default:
		return d, fmt.Errorf("endpoint %q: want http, https, grpc or grpcs", endpoint)
	}
	d.url = u
	return d, nil
}

// logs returns the exporter of records. It does not try again: the outlet does.
func (d destination) logs(ctx context.Context, a *answers) (sdklog.Exporter, error) {
	if d.grpc {
		o := []otlploggrpc.Option{otlploggrpc.WithRetry(otlploggrpc.RetryConfig{}), otlploggrpc.WithDialOption(grpc.WithUnaryInterceptor(a.intercept))}
		if d.url != nil {
			o = append(o, otlploggrpc.WithEndpointURL(d.url.String()))
		}
		return otlploggrpc.New(ctx, o...)
	}
	client, err := httpClient("LOGS")
	if err != nil {
		return nil, err
	}
	a.next, client.Transport = client.Transport, a
	o := []otlploghttp.Option{otlploghttp.WithRetry(otlploghttp.RetryConfig{}), otlploghttp.WithHTTPClient(client)}
	if d.url != nil {
		o = append(o, otlploghttp.WithEndpointURL(d.url.JoinPath("v1", "logs").String()))
	}
	return otlploghttp.New(ctx, o...)
}

func (d destination) metrics(ctx context.Context) (sdkmetric.Exporter, error) {
	if d.grpc {
		var o []otlpmetricgrpc.Option
		if d.url != nil {
			o = append(o, otlpmetricgrpc.WithEndpointURL(d.url.String()))
		}
		return otlpmetricgrpc.New(ctx, o...)
	}
	client, err := httpClient("METRICS")
	if err != nil {
		return nil, err
	}
	o := []otlpmetrichttp.Option{otlpmetrichttp.WithHTTPClient(client)}
	if d.url != nil {
		o = append(o, otlpmetrichttp.WithEndpointURL(d.url.JoinPath("v1", "metrics").String()))
	}
	return otlpmetrichttp.New(ctx, o...)
}

// resourceOf describes this agent: OTEL_RESOURCE_ATTRIBUTES, host, container, and the
// node, which the DaemonSet takes from its pod's fields.
func resourceOf(ctx context.Context, o *Options) (*resource.Resource, error) {
	about := []attribute.KeyValue{
		attribute.String("service.name", "closetrace"), attribute.String("service.version", o.Start.Tool.Version),
		attribute.String("closetrace.backend", o.Start.Backend), attribute.String("os.type", o.Start.OS.Type), attribute.String("os.version", o.Start.OS.Version),
	}
	if node := os.Getenv("K8S_NODE_NAME"); node != "" {
		about = append(about, attribute.String("k8s.node.name", node))
	}
	return resource.New(ctx, resource.WithAttributes(about...), resource.WithHost(), resource.WithContainer(), resource.WithFromEnv())
}
