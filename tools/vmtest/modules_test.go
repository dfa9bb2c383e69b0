package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestModinfoDepends(t *testing.T) {
	for info, want := range map[string][]string{
		"license=GPL\x00depends=inet_diag,x\x00name=tcp_diag\x00": {"inet_diag", "x"},
		"depends=\x00name=tun\x00":                                nil,
		"name=old\x00":                                            nil,
		"softdepends=no\x00":                                      nil,
	} {
		if got := modinfoDepends([]byte(info)); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", info, got, want)
		}
	}
}

func TestModulesComeAfterTheirDependencies(t *testing.T) {
	needs := map[string][]string{
		"nft_reject_inet": {"nf_tables", "nf_reject_ipv4"},
		"nf_tables":       {"nfnetlink"},
		"nf_reject_ipv4":  nil,
		"nfnetlink":       {"builtin_thing"},
		"tun":             nil,
	}
	lookup := func(name string) ([]byte, []string, error) {
		list, ok := needs[name]
		if !ok {
			return nil, nil, os.ErrNotExist
		}
		return []byte(name), list, nil
	}
	order, absent, err := loadOrder([]string{"nft-reject-inet", "nf_tables", "tun", "tls"}, lookup)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range order {
		names = append(names, m.name)
	}
	want := "nfnetlink nf_tables nf_reject_ipv4 nft_reject_inet tun"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("order: got %q, want %q", got, want)
	}
	if want := []string{"builtin_thing", "tls"}; !slices.Equal(absent, want) {
		t.Errorf("absent: got %q, want %q", absent, want)
	}
}

func TestModulesAreFoundByTheirKernelName(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"nft-thing.ko", "veth.ko.xz", "modules.order", "not.ko.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := moduleFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 || filepath.Base(files["nft_thing"]) != "nft-thing.ko" || filepath.Base(files["veth"]) != "veth.ko.xz" {
		t.Errorf("got %v", files)
	}
}
