package safetext

import "strings"

// Quoted returns s made safe as one word of a command line for a shell: text that is
// offered for copying may hold a name that a process chose.
func Quoted(s string) string {
	return "'" + strings.ReplaceAll(Escape(s), "'", `'\''`) + "'"
}
