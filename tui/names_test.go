package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestNamesThatSayNothing: processes with the same name are distinguished by the script
// that they run or by their program file, in the stream and in the grouped view, at 80
// columns.
func TestNamesThatSayNothing(t *testing.T) {
	owners := []model.Process{
		{Name: "python3", Script: "/srv/orders/import-worker.py"},
		{Name: "python3", Script: "/srv/orders/export-worker.py"},
		{Name: "java", Script: "/opt/orders/shop-frontend-service.jar"},
		{Name: "java", Script: "/opt/orders/shop-frontend-gateway.jar"},
		{Name: "kube-controller", Executable: model.Executable{Path: "/usr/bin/kube-controller-manager"}},
		{Name: "kube-controller", Executable: model.Executable{Path: "/usr/bin/kube-controller-agent"}},
		{Name: "order-worker-em", Script: "/srv/order-worker-emea"},
		{Name: "order-worker-ap", Script: "/srv/order-worker-apac"},
		{Name: "shop", Script: "/srv/shop.py"},
		{Name: "\x1b]0;evil\a", Script: "/srv/shop.py"},
		{Name: "nginx"},
	}
	records := feed(3*len(owners), at, 100*time.Millisecond)
	for i := range records {
		p := owners[i%len(owners)]
		p.PID = 812 + i%len(owners)
		t := &records[i].Teardown
		t.Process, t.K8s, t.Container, t.Systemd = p, model.K8s{}, model.Container{}, model.Systemd{}
	}
	for _, keys := range []string{"2", "4", "4 x", "7"} {
		r := newRig(t, 80, 24, records, nil)
		r.press(strings.Fields(keys)...)
		shown := map[string]string{}
		for name, column := range map[string]func(*model.Facts) string{
			"stream": func(f *model.Facts) string { return processWord(f, 14, r.s.g) },
			"groups": func(f *model.Facts) string {
				k := programKey(&model.Teardown{Facts: *f})
				return processTitle(&k, 16, r.s.g)
			},
		} {
			for i, p := range owners {
				p.PID = 812 + i
				text := column(&model.Facts{Process: p})
				if other, same := shown[name+text]; same {
					t.Errorf("%s: %s and %s are both shown as %q", name, other, p.Script+p.Executable.Path, text)
				}
				shown[name+text] = p.Script + p.Executable.Path
			}
		}
		if keys == "4" {
			for _, want := range []string{"import-worker.py", "export-worker.py", "nginx", "order…orker-emea", "order…orker-apac"} {
				r.shows(want)
			}
		}
	}
}

// TestOwnNames: a name that a program has given to itself says more than its interpreter's
// script, which pushes it out of a narrow column.
func TestOwnNames(t *testing.T) {
	for _, c := range []struct{ name, file, script, want, beside string }{
		{"python3", "/usr/bin/python3.11", "/srv/load.py", "python3", "load.py"},
		{"python3", "", "/srv/load.py", "python3", "load.py"},
		{"cli-unread", "/usr/bin/python3.11", "/srv/load.py", "cli-unread", ""},
		{"gunicorn: maste", "/usr/bin/python3.11", "/usr/bin/gunicorn", "gunicorn: maste", ""},
		{"load.py", "/usr/bin/python3.11", "/srv/load.py", "load.py", ""},
		{"node-MainThread", "/usr/bin/node", "/srv/app.js", "node-MainThread", "app.js"},
		{"MainThread", "/usr/bin/node", "/srv/app.js", "MainThread", "app.js"},
		{"nginx", "/usr/sbin/nginx", "", "nginx", ""},
	} {
		f := model.Facts{Process: model.Process{Name: c.name, Script: c.script, Executable: model.Executable{Path: c.file}}}
		if name, script := ownerName(&f); name != c.want || script != c.beside {
			t.Errorf("%s of %s: got %q and %q", c.name, c.file, name, script)
		}
	}
}
