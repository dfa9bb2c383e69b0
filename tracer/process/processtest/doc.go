// Package processtest makes what the tests of owners need: processes, control
// groups, and the layouts in which runtimes make control groups.
package processtest
