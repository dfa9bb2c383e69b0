package main

import (
	"bufio"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// plan tells the guest's /init what to do. It travels as JSON in the archive
// rather than on the kernel's command line, which is short and has quoting
// rules of its own.
type plan struct {
	Marker   string
	Port     string // the device for the result
	Hostname string
	Modules  []string // files in the guest, in load order
	Dir      string   // the working directory of the test, as on the host
	Args     []string // Args[0] is the test binary
	Env      []string
	Get      []string // files and folders to send back
}

// planPath is where the plan lies in the guest. Its presence tells process 1
// that it is in a guest and not in a container.
const planPath = "/vmtest.json"

// pack completes the plan, writes the guest's file system to the file initrd and
// returns the modules that were asked for and are not there.
func (r *request) pack(k kernel, p plan, initrd string) (absent []string, err error) {
	file, err := os.Create(initrd)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	buffer := bufio.NewWriterSize(file, 1<<20)
	a := newArchive(buffer)
	if err := r.plan(&p); err != nil {
		return nil, err
	}
	if p.Modules, absent, err = r.packModules(a, k); err != nil {
		return nil, err
	}
	if err := r.packFiles(a, p); err != nil {
		return nil, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	a.file(planPath, 0o644, text)
	return absent, errors.Join(a.close(), buffer.Flush())
}

func (r *request) plan(p *plan) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	p.Hostname, p.Dir, p.Env = "vmtest", dir, guestEnv(os.Environ())
	p.Args = append([]string{path.Join("/bin", filepath.Base(r.args[0]))}, r.args[1:]...)
	for _, g := range r.get {
		p.Get = append(p.Get, g[0])
	}
	return nil
}

// guestEnv keeps what steers tests and the Go runtime.
func guestEnv(host []string) []string {
	env := []string{"PATH=/bin", "HOME=/root", "TMPDIR=/tmp", "USER=root"}
	for _, kv := range host {
		if strings.HasPrefix(kv, "CLOSETRACE_") || strings.HasPrefix(kv, "GO") {
			env = append(env, kv)
		}
	}
	return env
}

func (r *request) packModules(a *archive, k kernel) (guestFiles, absent []string, err error) {
	files, err := moduleFiles(k.dir)
	if err != nil {
		return nil, nil, err
	}
	wanted := strings.FieldsFunc(r.modules, func(c rune) bool { return c == ',' })
	order, absent, err := loadOrder(wanted, lookupIn(files))
	if err != nil {
		return nil, nil, err
	}
	for _, m := range order {
		name := path.Join("/modules", m.name+".ko")
		a.file(name, 0o644, m.data)
		guestFiles = append(guestFiles, name)
	}
	return guestFiles, absent, nil
}

func (r *request) packFiles(a *archive, p plan) error {
	init := r.init
	if init == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		init = self
	}
	for _, f := range [][2]string{{init, "/init"}, {r.args[0], p.Args[0]}} {
		if err := packProgram(a, f[0], f[1], r.arch); err != nil {
			return err
		}
	}
	a.dir("/root")
	a.dirMode("/tmp", 0o1777)
	// For os/user, and for net, which knows "localhost" from this file only.
	a.file("/etc/passwd", 0o644, []byte("root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"))
	a.file("/etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\n"))
	a.file("/etc/hosts", 0o644, []byte("127.0.0.1 localhost\n::1 localhost\n"))
	a.dir(p.Dir)
	data := filepath.Join(p.Dir, "testdata")
	if err := a.tree(data, data); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, g := range r.get {
		a.dir(path.Dir(g[0]))
	}
	for _, dir := range r.dirs {
		a.dir(dir)
	}
	for _, f := range r.files {
		if err := a.tree(f[0], f[1]); err != nil {
			return err
		}
	}
	return a.err
}

// packProgram adds an executable after a look at its headers: for one that the
// guest cannot start it could only say "no such file or directory".
func packProgram(a *archive, host, guest, arch string) error {
	program, err := elf.Open(host)
	if err != nil {
		return fmt.Errorf("read %s: %w", host, err)
	}
	defer program.Close()
	if want := elfMachine[arch]; program.Machine != want {
		return fmt.Errorf("%s is built for %v, the guest needs %v (see -arch and -init)", host, program.Machine, want)
	}
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically: build it with CGO_ENABLED=0 and without -race", host)
		}
	}
	data, err := os.ReadFile(host)
	if err != nil {
		return err
	}
	a.file(guest, 0o755, data)
	return a.err
}

var elfMachine = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
