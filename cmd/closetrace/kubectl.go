package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/kubectl"
	"github.com/closetrace/closetrace/internal/safefile"
)

const kubectlHelp = `Trace a node of a Kubernetes cluster, or one pod on its node, from here: runs
closetrace's image there by "kubectl debug" and removes the pod afterwards. With
-o it records and copies the recording here; without, it shows the live screen.
What follows -- are flags of live or record on the node.

It needs kubectl 1.30 or later and the right to make privileged pods in the
namespace. As a plugin of kubectl it is "kubectl closetrace" (docs/install.md).

Examples:
  closetrace kubectl node-7
  closetrace kubectl pod/checkout-5d9f -n shop -- --verdict abortive
  closetrace kubectl node-7 -o incident.jsonl --duration 60s`

// plugin is the name under which kubectl finds its plugin.
const plugin = "kubectl-closetrace"

const imageName = "ghcr.io/closetrace/closetrace:"

// imageOf is the image of a version, or the newest if that is no release, as of a
// program built from a commit: v1.2.3-0.20261130120000-0123456789ab.
func imageOf(version string) string {
	if !strings.HasPrefix(version, "v") || strings.Contains(version, "+") || strings.Count(version, "-") > 1 {
		version = "latest"
	}
	return imageName + version
}

func newKubectl(a *app) *cobra.Command {
	client := kubectl.Client{Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr}
	var namespace, cluster, output string
	var duration time.Duration
	var force bool
	c := &cobra.Command{
		Use:   "kubectl NODE|POD [flags] [-- FLAGS...]",
		Short: "Trace a Kubernetes node or pod from here",
		Long:  kubectlHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if n := c.ArgsLenAtDash(); n > 1 || n < 0 && len(args) != 1 || n == 0 {
				return usage("kubectl takes one NODE or POD; flags for the node follow --; see closetrace kubectl --help")
			}
			if duration != 0 && output == "" {
				return usage("--duration is for a recording: add -o FILE")
			}
			if strings.HasSuffix(output, ".zst") {
				return usage("what comes from the node is not compressed: leave .zst out of the name, and compress it afterwards with zstd")
			}
			if namespace != "" {
				client.Flags = append(client.Flags, "--namespace="+namespace)
			}
			if cluster != "" {
				client.Flags = append(client.Flags, "--context="+cluster)
			}
			target, err := client.Find(c.Context(), args[0])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			more := args[1:]
			if f := target.Filter(); f != "" {
				more = append([]string{"--filter", f}, more...)
			}
			if output == "" {
				return client.Screen(c.Context(), target, append([]string{"live"}, more...))
			}
			more = append([]string{"record", "--output", "-"}, more...)
			if duration != 0 {
				more = append(more, "--duration", duration.String())
			}
			return a.copyRecording(c.Context(), &client, target, more, output, force)
		},
	}
	f := c.Flags()
	f.StringVar(&client.Program, "kubectl", "kubectl", "`PROGRAM` to call")
	f.StringVar(&client.Image, "image", imageOf(version()), "`IMAGE` to run")
	f.StringVarP(&namespace, "namespace", "n", "", "`NAMESPACE` of the pod, and where the pod of the trace is made")
	f.StringVar(&cluster, "context", "", "`CONTEXT` of kubectl's configuration")
	f.StringVarP(&output, "output", "o", "", "record into `FILE` here, - for standard output, instead of showing the screen")
	f.DurationVar(&duration, "duration", 0, "record for this `TIME` (default until ctrl-c)")
	f.BoolVar(&force, "force", false, "overwrite an existing file")
	return c
}

// copyRecording records on the node until the duration is over or the user interrupts,
// and says how much came.
func (a *app) copyRecording(ctx context.Context, client *kubectl.Client, t kubectl.Target, args []string, output string, force bool) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	to, closing := a.stdout, func() error { return nil }
	if output == "-" {
		output = "standard output"
	} else {
		file, err := safefile.Create(output, force)
		if err != nil {
			return createError(output, err)
		}
		to, closing = file, file.Close
	}
	sum := sha256.New()
	copied := &received{}
	err := client.Copy(ctx, t, args, io.MultiWriter(to, sum, copied))
	if err = errors.Join(err, closing()); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "%s: %d lines, sha256 %x\n", output, copied.lines, sum.Sum(nil))
	if !copied.stopped() {
		fmt.Fprintf(a.stderr, "closetrace: warning: the recording of %s has no stop line: its end did not arrive\n", t.Node)
	}
	return nil
}

// received counts lines and keeps the beginning of the last one.
type received struct {
	lines int
	begin []byte
	ended bool
}

func (l *received) Write(p []byte) (int, error) {
	for _, b := range p {
		if l.ended {
			l.begin, l.ended = l.begin[:0], false
		}
		if b == '\n' {
			l.lines, l.ended = l.lines+1, true
		} else if len(l.begin) < len(stopBegin) {
			l.begin = append(l.begin, b)
		}
	}
	return len(p), nil
}

const stopBegin = `{"kind":"stop"`

// stopped reports whether the last line is a whole stop line.
func (l *received) stopped() bool { return l.ended && string(l.begin) == stopBegin }
