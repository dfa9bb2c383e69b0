package deploy

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestDaemonSetIsTight: the least that tracing needs, and nothing writable but the spool.
func TestDaemonSetIsTight(t *testing.T) {
	var set struct {
		Spec struct {
			Template struct {
				Spec struct {
					HostPID    bool  `yaml:"hostPID"`
					HostIPC    bool  `yaml:"hostIPC"`
					Token      *bool `yaml:"automountServiceAccountToken"`
					Containers []struct {
						Env             []struct{ Name, Value string }
						SecurityContext struct {
							Privileged   bool
							Escalation   *bool `yaml:"allowPrivilegeEscalation"`
							ReadOnly     bool  `yaml:"readOnlyRootFilesystem"`
							Capabilities struct{ Drop, Add []string }
						} `yaml:"securityContext"`
						Mounts []struct {
							Name     string
							ReadOnly bool `yaml:"readOnly"`
						} `yaml:"volumeMounts"`
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "kubernetes/daemonset.yaml")), &set); err != nil {
		t.Fatal(err)
	}
	pod := set.Spec.Template.Spec
	c := pod.Containers[0].SecurityContext
	if pod.HostPID || pod.HostIPC || pod.Token == nil || *pod.Token || c.Privileged || c.Escalation == nil || *c.Escalation || !c.ReadOnly {
		t.Errorf("the pod may more than it needs: %+v", pod)
	}
	if !slices.Equal(c.Capabilities.Drop, []string{"ALL"}) || !slices.Equal(c.Capabilities.Add, []string{"BPF", "PERFMON", "NET_ADMIN"}) {
		t.Errorf("capabilities %+v", c.Capabilities)
	}
	for _, m := range pod.Containers[0].Mounts {
		if m.ReadOnly == (m.Name == "spool") {
			t.Errorf("mount %s: read-only is %t", m.Name, m.ReadOnly)
		}
	}
	for _, e := range pod.Containers[0].Env {
		if e.Name != "CLOSETRACE_AGENT_METRICS_LISTEN" {
			continue
		}
		for _, node := range []string{"10.0.0.1", "fd00::1"} {
			if host, port, err := net.SplitHostPort(strings.ReplaceAll(e.Value, "$(HOST_IP)", node)); host != node || port != "9469" {
				t.Errorf("on node %s metrics are on %s, port %s: %v", node, host, port, err)
			}
		}
	}
}

// TestNamesComponent: what kustomize makes of the manifests with names has an account that
// may list and watch pods and services, and nothing else; without, there is none.
func TestNamesComponent(t *testing.T) {
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("kubernetes")); err != nil {
		t.Fatal(err)
	}
	made := func() map[string]map[string]any {
		t.Helper()
		text, err := tool(t, "kubectl", "kubectl", "kustomize", folder)
		if err != nil {
			t.Fatal(text)
		}
		return objects(t, text)
	}
	if without := made(); without["ServiceAccount"] != nil || without["DaemonSet"] == nil {
		t.Errorf("without it: %v", without)
	}
	path := filepath.Join(folder, "kustomization.yaml")
	if err := os.WriteFile(path, []byte(read(t, path)+"components: [names]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	checkNames(t, made(), "closetrace-agent", "closetrace", "closetrace-agent")
}

// checkNames reads the account of an agent that may ask for names.
func checkNames(t *testing.T, made map[string]map[string]any, account, namespace, role string) {
	t.Helper()
	pod := at(made["DaemonSet"], "spec", "template", "spec")
	if pod["serviceAccountName"] != account || pod["automountServiceAccountToken"] != true {
		t.Errorf("the pod has account %v, token %v", pod["serviceAccountName"], pod["automountServiceAccountToken"])
	}
	env, err := yaml.Marshal(pod["containers"].([]any)[0].(map[string]any)["env"])
	if err != nil || !strings.Contains(string(env), "- name: CLOSETRACE_AGENT_K8S_API\n  value: \"true\"\n") {
		t.Errorf("env %s", env)
	}
	got := fmt.Sprint(made["ServiceAccount"]["metadata"].(map[string]any)["name"], made["ClusterRole"]["rules"], at(made["ClusterRoleBinding"], "roleRef"), made["ClusterRoleBinding"]["subjects"])
	want := fmt.Sprintf("%s[map[apiGroups:[] resources:[pods services] verbs:[list watch]]]"+
		" map[apiGroup:rbac.authorization.k8s.io kind:ClusterRole name:%s] [map[kind:ServiceAccount name:%s namespace:%s]]", account, role, account, namespace)
	if got = strings.Replace(got, "]]map", "]] map", 1); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
