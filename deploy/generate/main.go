// Command generate writes the Grafana dashboard that follows from package deploy.
package main

import (
	"fmt"
	"os"

	"github.com/closetrace/closetrace/deploy"
)

func main() {
	text, err := deploy.Dashboard()
	if err == nil {
		err = os.WriteFile(os.Args[1], text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
