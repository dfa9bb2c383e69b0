// Command generate writes the Grafana dashboard and the Helm chart that follow from
// package deploy, into the folder that is its argument.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/closetrace/closetrace/deploy"
)

func main() {
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	dashboard, err := deploy.Dashboard()
	if err != nil {
		return err
	}
	chart, err := deploy.Chart()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "grafana/closetrace.json"), dashboard, 0o644); err != nil {
		return err
	}
	for name, text := range chart {
		path := filepath.Join(folder, "helm/closetrace", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
