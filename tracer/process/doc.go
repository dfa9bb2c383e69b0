// Package process reads from /proc and the cgroup file system what the kernel's messages
// do not say about processes of this host.
//
//	PID, start, name ──► /proc ──► executable, command line     ┐
//	id of its cgroup ──► its path ──► container, pod, unit      ├─► [Owners.Describe]
//	container, pod ──► files of kubelet and the runtimes: names ┘
//
// PIDs are reused, so nothing is said of a process that is not certainly the one asked
// for. What is read may be hostile: processes choose their names, and containers their
// files. Everything remembered is bounded.
//
// A [Group] is a control group of our own, in which a command is followed.
package process
