// Package cluster knows the names of pods and services by their addresses, from the
// Kubernetes API: it lists them once and then watches what changes, read-only.
//
// The official client has more than that needs: its least part (rest, cache, core/v1)
// made a small program 12 MB larger, and every start of it costs 65 packages' and 0.7 MB
// of initialisation.
package cluster
