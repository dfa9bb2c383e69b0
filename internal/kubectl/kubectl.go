// Package kubectl traces a node of a Kubernetes cluster from elsewhere: it runs
// closetrace's image on the node by `kubectl debug`, which also has the user's access and
// settings, and removes the pod afterwards. It knows kubectl 1.30 and later.
package kubectl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// Client runs kubectl.
type Client struct {
	// Program is kubectl or a path of it.
	Program string
	// Flags are for each call: --context, --namespace.
	Flags []string
	// Image has closetrace as its entry point.
	Image          string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Target is what is traced: a node, or a pod on it.
type Target struct {
	Node string
	// PodUID is empty for a node.
	PodUID string
}

// Filter selects the target's ends on its node.
func (t Target) Filter() string {
	if t.PodUID == "" {
		return ""
	}
	return fmt.Sprintf("k8s.pod.uid == %q", t.PodUID)
}

// ErrNone: the cluster has neither a node nor a pod of that name.
var ErrNone = errors.New("no node and no running pod of that name; look at: kubectl get nodes, kubectl get pods --namespace NAMESPACE")

// name is what Kubernetes allows (RFC 1123 subdomains); no flag is among them.
var name = regexp.MustCompile(`^[a-z0-9][-a-z0-9.]*$`)

// Find looks up a target: node/NAME, pod/NAME, or NAME, of a node first.
func (c *Client) Find(ctx context.Context, target string) (Target, error) {
	kind, of, typed := strings.Cut(target, "/")
	if !typed {
		kind, of = "", target
	}
	if !name.MatchString(of) {
		return Target{}, fmt.Errorf("%q is not the name of a node or pod", target)
	}
	switch kind {
	case "node", "nodes", "no", "":
		out, err := c.get(ctx, "node", of, "{.metadata.name}")
		if err == nil && out == of {
			return Target{Node: of}, nil
		}
		if kind != "" || !notFound(err) {
			return Target{}, err
		}
	case "pod", "pods", "po":
	default:
		return Target{}, fmt.Errorf("%q is neither node/NAME nor pod/NAME", target)
	}
	out, err := c.get(ctx, "pod", of, "{.spec.nodeName} {.metadata.uid}")
	if notFound(err) {
		return Target{}, ErrNone
	}
	if err != nil {
		return Target{}, err
	}
	node, uid, ok := strings.Cut(out, " ")
	if !ok || node == "" {
		return Target{}, fmt.Errorf("pod %s runs on no node yet", of)
	}
	return Target{node, uid}, nil
}

func notFound(err error) bool {
	return err != nil && strings.Contains(err.Error(), "NotFound")
}

func (c *Client) get(ctx context.Context, kind, of, path string) (string, error) {
	return c.output(ctx, "get", kind, of, "--output", "jsonpath="+path)
}

// output returns what kubectl prints; its own message is the error.
func (c *Client) output(ctx context.Context, args ...string) (string, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, c.Program, append(args, c.Flags...)...) // #nosec G204 -- the kubectl of the user, with his arguments and no shell
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if said.Len() == 0 {
			return "", c.failed(err)
		}
		return "", fmt.Errorf("kubectl: %s", strings.TrimSpace(said.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// debug is the command that runs closetrace on a node. The profile sysadmin makes the
// container privileged, which BPF needs.
func (c *Client) debug(ctx context.Context, t Target, flags []string, args []string) *exec.Cmd {
	all := append([]string{"debug", "node/" + t.Node, "--image", c.Image, "--profile", "sysadmin"}, flags...)
	all = append(append(all, c.Flags...), "--", "closetrace")
	cmd := exec.CommandContext(ctx, c.Program, append(all, args...)...) // #nosec G204 -- the kubectl of the user, with his arguments and no shell
	cmd.Stderr = c.Stderr
	return cmd
}

// Screen shows the live screen of a node until the user quits.
func (c *Client) Screen(ctx context.Context, t Target, args []string) error {
	cmd := c.debug(ctx, t, []string{"--stdin", "--tty", "--quiet"}, args)
	cmd.Stdin, cmd.Stdout = c.Stdin, c.Stdout
	return errors.Join(c.failed(cmd.Run()), c.sweepSoon(t))
}

func (c *Client) failed(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not installed: see https://kubernetes.io/docs/tasks/tools", c.Program)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.Program, err)
	}
	return nil
}

// remove deletes a pod, also after an interrupt; that it has gone is as good.
func (c *Client) remove(pod string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err := c.output(ctx, "delete", "pod", pod, "--wait=false", "--ignore-not-found")
	return err
}

// sweep deletes the pods of ours that have ended: kubectl debug leaves them. It returns
// whether others have not ended.
func (c *Client) sweep(t Target) (busy bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // also after an interrupt
	defer cancel()
	all, err := c.output(ctx, "get", "pods", "--field-selector", "spec.nodeName="+t.Node,
		"--output", `jsonpath={range .items[?(@.spec.containers[0].image=="`+c.Image+`")]}{.metadata.name} {.status.phase}{"\n"}{end}`)
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(all) {
		pod, phase, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case !strings.HasPrefix(pod, "node-debugger-"):
		case phase != "Succeeded" && phase != "Failed":
			busy = true
		default:
			if err := c.remove(pod); err != nil {
				return busy, err
			}
		}
	}
	return busy, nil
}

// sweepSoon sweeps until no pod of ours runs: that of a screen, whose name kubectl does not
// say, ends a moment after kubectl. Another user's may run on, so it gives up.
func (c *Client) sweepSoon(t Target) error {
	for last := time.Now().Add(5 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		if busy, err := c.sweep(t); err != nil || !busy || time.Now().After(last) {
			return err
		}
	}
}
