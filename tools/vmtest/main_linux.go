package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// machineFailed is the exit code for what is not the test's own failure: no
// kernel, no qemu, a guest that died or ran out of time, a dirty kernel log.
const machineFailed = 125

const usage = `usage:
  vmtest run -kernel DIR [flags] BINARY [ARGUMENTS]
  vmtest fetch -dir DIR -series 5.10,6.1 [flags]
Each takes -h. Made for: CGO_ENABLED=0 go test -exec "vmtest run -kernel DIR" ./...
`

func main() {
	if _, err := os.Stat(planPath); os.Getpid() == 1 && err == nil {
		guest() // does not return
	}
	// go test ends a test that hangs with SIGQUIT.
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGQUIT)
	defer stop()
	code, err := command(ctx, os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vmtest:", err)
	}
	os.Exit(code)
}

func command(ctx context.Context, args []string) (int, error) {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "run":
		return runCommand(ctx, args)
	case "fetch":
		if err := fetchCommand(ctx, args); err != nil {
			return machineFailed, err
		}
		return 0, nil
	default:
		fmt.Fprint(os.Stderr, usage)
		return 2, nil
	}
}
