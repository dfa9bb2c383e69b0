//go:build linux

package process

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// interpreter matches programs whose name does not show what they run.
var interpreter = regexp.MustCompile(`^(java|python|pypy|perl|ruby|node|nodejs|php|lua|dotnet|sh|bash|dash)[0-9.]*$`)

// Options of interpreters, each as their manual pages have it.
var (
	namesScript = []string{"-jar", "-m", "--module", "-f"}
	holdsCode   = []string{"-c", "-e", "-E", "--eval"} // may hold secrets
	takesValue  = []string{"-cp", "-classpath", "--class-path", "-p", "--module-path", "-W", "-X", "-r", "--require", "-I"}
)

// scriptOf returns what an interpreter with these arguments runs, "" if that is no file,
// module or class, or if the program is no interpreter. All other arguments are left out:
// they often hold secrets.
func scriptOf(arguments []string) string {
	if len(arguments) < 2 || !interpreter.MatchString(path.Base(arguments[0])) {
		return ""
	}
	for i := 1; i < len(arguments); i++ {
		switch a := arguments[i]; {
		case slices.Contains(holdsCode, a):
			return ""
		case slices.Contains(takesValue, a):
			i++
		case !strings.HasPrefix(a, "-"):
			return a
		case slices.Contains(namesScript, a) && i+1 < len(arguments):
			return arguments[i+1]
		}
	}
	return ""
}
