// Package sandbox takes away what a running trace does not need.
//
//	[New] ──► [Box.Folder], [Box.Reader] ──► hooks are attached ──► [Box.Enter]
//
// After Enter the process is an unprivileged user without capabilities, can read
// /proc and the control groups, can make files in one folder, and the kernel refuses
// every system call that a trace does not make. What needs more is done by
// helpers, which are processes of this program and answer one kind of question each:
//
//	links    CAP_SYS_PTRACE; may read no file: the executable of a process
//	names    root without capabilities; may read what runtimes write of containers
//	files    root without capabilities; may make files in the folder that the user
//	         may not write
//
// A flaw in a decoder of what the kernel sends is then a flaw of a process that can
// do next to nothing.
package sandbox
