package kubectl

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"time"
)

// created is how kubectl says which pod it makes, before it does.
var created = regexp.MustCompile(`node-debugger-[-a-z0-9.]+`)

// Copy writes the recording of a node to w, line by line as it comes. What kubectl
// prints before its first line is left out. When ctx is done the pod is deleted, so that
// closetrace ends there and its last lines still come.
func (c *Client) Copy(ctx context.Context, t Target, args []string, w io.Writer) error {
	cmd := c.debug(context.Background(), t, []string{"--stdin", "--attach"}, args)
	apart(cmd)                      // ctrl-c is for us, not for kubectl
	cmd.WaitDelay = 2 * time.Second // what kubectl started may outlive it
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
	k := &copying{client: c, cmd: cmd, out: out}
	stop := context.AfterFunc(ctx, k.interrupt) // now: the image may be pulled for minutes
	defer stop()
	r := bufio.NewReader(out)
	k.skip(r)
	_, copied := io.Copy(w, r)
	if ctx.Err() != nil && errors.Is(copied, os.ErrClosed) {
		copied = nil
	}
	if copied != nil {
		k.kill() // it would wait for ever until somebody reads
	}
	ended := cmd.Wait()
	if copied != nil || ctx.Err() != nil || errors.Is(ended, exec.ErrWaitDelay) {
		ended = nil // as asked
	}
	var removed error
	if pod, _ := k.state(); pod != "" {
		removed = c.remove(pod) // its phase may still be that of a running one
	}
	_, swept := c.sweep(t)
	return errors.Join(copied, c.failed(ended), removed, swept)
}

// copying is a kubectl whose output is copied.
type copying struct {
	client *Client
	cmd    *exec.Cmd
	out    io.Closer

	mutex sync.Mutex
	pod   string
	began bool // the recording
}

func (k *copying) state() (pod string, began bool) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return k.pod, k.began
}

// interrupt ends the recording by its pod, and kubectl itself if it has nothing to deliver.
func (k *copying) interrupt() {
	pod, began := k.state()
	if pod == "" || k.client.remove(pod) != nil || !began {
		k.kill()
	}
}

// kill ends kubectl and the reading of its output, which a child of it may hold open.
func (k *copying) kill() {
	_ = k.cmd.Process.Kill()
	_ = k.out.Close()
}

// skip reads what comes before the first line of a recording, and notes the pod that it
// names.
func (k *copying) skip(r *bufio.Reader) {
	for {
		first, err := r.Peek(1)
		if err != nil {
			return
		}
		if first[0] == '{' {
			k.mutex.Lock()
			k.began = true
			k.mutex.Unlock()
			return
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		k.mutex.Lock()
		if found := created.FindString(line); k.pod == "" {
			k.pod = found
		}
		k.mutex.Unlock()
	}
}
