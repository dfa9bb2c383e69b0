// Package kubectl traces a node of a Kubernetes cluster from elsewhere: it runs
// closetrace's image on the node by `kubectl debug`, which also has the user's access and
// settings, and removes the pod afterwards. It knows kubectl 1.30 and later.
package kubectl

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
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
	return errors.Join(c.failed(cmd.Run()), c.sweep(t))
}

// created is how kubectl says which pod it made.
var created = regexp.MustCompile(`node-debugger-[-a-z0-9.]+`)

// Copy writes the recording of a node to w, line by line as it comes. What kubectl
// prints before its first line is left out. When ctx is done the pod is deleted, so that
// closetrace ends there and its last lines still come.
func (c *Client) Copy(ctx context.Context, t Target, args []string, w io.Writer) error {
	cmd := c.debug(context.Background(), t, []string{"--stdin", "--attach"}, args)
	apart(cmd) // ctrl-c is for us, not for kubectl
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	in, err := cmd.StdinPipe() // open as long as it records; kubectl attaches to nothing otherwise
	if err != nil {
		return err
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		return c.failed(err)
	}
	r := bufio.NewReader(out)
	pod := skip(r)
	stop := context.AfterFunc(ctx, func() {
		if pod == "" {
			_ = cmd.Process.Kill()
			return
		}
		_, _ = c.output(context.Background(), "delete", "pod", pod, "--wait=false")
	})
	defer stop()
	_, copied := io.Copy(w, r)
	ended := c.failed(cmd.Wait())
	if ctx.Err() != nil {
		ended = nil // as asked
	}
	return errors.Join(copied, ended, c.sweep(t))
}

// skip reads what comes before the first line of a recording, and returns the pod that
// it names.
func skip(r *bufio.Reader) (pod string) {
	for {
		first, err := r.Peek(1)
		if err != nil || first[0] == '{' {
			return pod
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return pod
		}
		if found := created.FindString(line); pod == "" {
			pod = found
		}
	}
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

// sweep deletes the pods of ours that have ended: kubectl debug leaves them.
func (c *Client) sweep(t Target) error {
	ctx := context.Background() // also after an interrupt
	ended, err := c.output(ctx, "get", "pods", "--field-selector", "spec.nodeName="+t.Node,
		"--output", `jsonpath={range .items[?(@.spec.containers[0].image=="`+c.Image+`")]}{.metadata.name} {.status.phase}{"\n"}{end}`)
	if err != nil {
		return err
	}
	for line := range strings.Lines(ended) {
		pod, phase, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(pod, "node-debugger-") || phase != "Succeeded" && phase != "Failed" {
			continue
		}
		if _, err := c.output(ctx, "delete", "pod", pod, "--wait=false"); err != nil {
			return err
		}
	}
	return nil
}
