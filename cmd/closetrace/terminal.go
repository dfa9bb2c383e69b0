package main

import (
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/closetrace/closetrace/tui"
)

// terminalSize returns the size of the terminal, or zeros for a pipe.
func (a *app) terminalSize() (width, height int) {
	file, ok := a.stdout.(*os.File)
	if !ok || !isTerminal(file) {
		return 0, 0
	}
	width, height, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0, 0
	}
	return width, height
}

// lineOptions follows the terminal: colour unless NO_COLOR is set
// (https://no-color.org) or the terminal is dumb, local time.
func (a *app) lineOptions() tui.LineOptions {
	width, _ := a.terminalSize()
	return tui.LineOptions{
		Width: width,
		Color: isTerminal(a.stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		ASCII: !utf8Locale(),
		Zone:  time.Local,
	}
}

// utf8Locale reports whether the locale lets us print more than ASCII.
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := os.Getenv(name); value != "" {
			return containsFold(value, "utf-8") || containsFold(value, "utf8")
		}
	}
	return true // ssh often passes no locale; terminals of today show UTF-8
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), part)
}
