package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// defaultModules are what tests of TCP teardowns may use and Debian does not
// build in: kernel TLS, socket diagnosis, packet loss and network devices. Nf_tables
// needs a checksum by an alias, which depends= does not show.
const defaultModules = "tls,inet_diag,tcp_diag,veth,dummy,tun,sch_netem,sch_ingress,cls_bpf," +
	"crc32c_generic,nf_tables,nft_reject_inet,nft_chain_nat,nft_nat"

// module is one loadable module, uncompressed.
type module struct {
	name string
	data []byte
}

// moduleFiles finds the modules below dir by name. Names use underscores, as
// depends= and /proc/modules do, whatever the file is called.
func moduleFiles(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := strings.TrimSuffix(d.Name(), ".xz")
		if name, isModule := strings.CutSuffix(base, ".ko"); isModule {
			files[moduleName(name)] = path
		}
		return nil
	})
	return files, err
}

func moduleName(s string) string { return strings.ReplaceAll(s, "-", "_") }

// lookup returns the file of a module and the names of those that it needs, or
// fs.ErrNotExist.
type lookup func(name string) (data []byte, needs []string, err error)

// loadOrder reads the wanted modules and all that they need, each after its
// dependencies. Those that cannot be found are returned as absent: a feature is
// built in on one kernel, a module on the next and missing on a third, and one
// list serves them all.
func loadOrder(wanted []string, find lookup) (order []module, absent []string, err error) {
	done := map[string]bool{}
	var visit func(names []string) error
	visit = func(names []string) error {
		for _, name := range names {
			name = moduleName(name)
			if done[name] {
				continue
			}
			done[name] = true
			data, needs, err := find(name)
			if errors.Is(err, fs.ErrNotExist) {
				absent = append(absent, name)
				continue
			}
			if err != nil {
				return fmt.Errorf("read module %s: %w", name, err)
			}
			if err := visit(needs); err != nil {
				return err
			}
			order = append(order, module{name, data})
		}
		return nil
	}
	err = visit(wanted)
	return order, absent, err
}

// lookupIn looks among the files that moduleFiles found.
func lookupIn(files map[string]string) lookup {
	return func(name string) ([]byte, []string, error) {
		file, ok := files[name]
		if !ok {
			return nil, nil, fs.ErrNotExist
		}
		data, err := readModule(file)
		if err != nil {
			return nil, nil, err
		}
		needs, err := depends(data)
		return data, needs, err
	}
}

// readModule returns the module as the kernel wants it. Kernels before 5.17
// cannot unpack .xz themselves, so the host does.
func readModule(file string) ([]byte, error) {
	if filepath.Ext(file) != ".xz" {
		return os.ReadFile(file)
	}
	data, err := exec.Command("xz", "-dc", file).Output()
	if err != nil {
		return nil, fmt.Errorf("unpack %s (is xz-utils installed?): %w", filepath.Base(file), err)
	}
	return data, nil
}

// depends reads the names of needed modules from the module itself: the
// packages have no modules.dep, which a maintainer script makes on install.
func depends(data []byte) ([]string, error) {
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	section := file.Section(".modinfo")
	if section == nil {
		return nil, errors.New("no .modinfo section")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	return modinfoDepends(info), nil
}

// modinfoDepends finds "depends=a,b" among NUL-terminated key=value strings.
func modinfoDepends(info []byte) []string {
	for field := range bytes.SplitSeq(info, []byte{0}) {
		if list, ok := bytes.CutPrefix(field, []byte("depends=")); ok && len(list) > 0 {
			return strings.Split(string(list), ",")
		}
	}
	return nil
}
