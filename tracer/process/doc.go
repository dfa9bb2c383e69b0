// Package process tells what /proc and the cgroup file system know of the
// processes of this host, and the kernel's messages do not say.
//
//	PID, start, name ──► /proc ──► executable, command line     ┐
//	id of its cgroup ──► its path ──► container, pod, unit      ├─► [Owners.Describe]
//	container, pod ──► files of kubelet and the runtimes: names ┘
//
// A PID is used again, so nothing is said of a process that is not certainly
// the one asked for. What is read is hostile: processes choose their names, and
// containers their files. All that is remembered is bounded.
//
// A [Group] is a control group of our own, in which a command is followed.
package process
