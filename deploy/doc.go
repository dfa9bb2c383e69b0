// Package deploy is what runs closetrace agent on many hosts: a systemd unit, a
// Kubernetes DaemonSet and the Helm chart that is made of it, Prometheus rules, and a
// Grafana dashboard that is made from a table. Its tests check each with the program
// that reads it, where that is installed.
package deploy

//go:generate go run ./generate .
