// Package helper is the other side of a sandbox: a process that was started as
// [github.com/closetrace/closetrace/internal/sandbox.HelperCommand] serves its
// questions and exits before most of the program is initialised, and before main.
// It is imported for that effect only.
package helper
