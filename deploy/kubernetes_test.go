package deploy

import (
	"slices"
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
}
