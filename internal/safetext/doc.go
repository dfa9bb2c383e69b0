// Package safetext makes text that came from the system safe to print.
//
// A process chooses its own name: 15 arbitrary bytes on Linux (prctl
// PR_SET_NAME), a whole path through the file system. Printed as they are,
// such bytes can move the cursor, rename the window, forge a line or hide what
// follows. Sinks therefore pass each string of a record through [Escape] on its
// way to a terminal, and only there: recordings keep what the system said,
// because the odd bytes are evidence. JSON has its own escapes, which keep the bytes and
// are as harmless: [WriteJSON].
package safetext
