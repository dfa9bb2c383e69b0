// Package agent is a trace without a screen: it counts connection ends for Prometheus
// and sends the abnormal ones, and findings, to an OpenTelemetry Collector.
//
//	model.Record ─► Agent.Add ─► meter (client_golang) ─► /metrics, and every minute OTLP
//	                         ├─► findings.Engine ─► one log record for each finding
//	                         └─► token bucket ─► batch ─► queue ─► sender ─► OTLP logs
//	                                                      │   ▲
//	                                                      └ spool, on disk
//
// Nothing here may hurt the host. Add never waits: what the queue and the spool have no
// room for is counted as lost. Every record that is offered is in exactly one of
// exported, suppressed, lost and waiting. The metrics have a fixed number of series
// whatever names the host makes up. Above its limits of memory and processor time the
// agent sheds detail and says so.
//
// It is the only package that imports OpenTelemetry and Prometheus.
package agent
