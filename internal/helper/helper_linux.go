package helper

import (
	"fmt"
	"os"

	"github.com/closetrace/closetrace/internal/sandbox"
	"github.com/closetrace/closetrace/tracer/process"
)

// The only init of the program: main is too late. Packages are initialised in the
// order of their paths once what they import is, and those of gRPC, OpenTelemetry
// and Prometheus come after this one.
func init() {
	if len(os.Args) < 2 || os.Args[1] != sandbox.HelperCommand {
		return
	}
	if err := sandbox.Serve(os.Args[2:], process.NodeNames()); err != nil {
		fmt.Fprintln(os.Stderr, "closetrace:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
