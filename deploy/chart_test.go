package deploy

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestChartIsFresh(t *testing.T) {
	want, err := Chart()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range want {
		if read(t, "helm/closetrace/"+name) != text {
			t.Errorf("helm/closetrace/%s is stale: go generate ./deploy", name)
		}
	}
}

const chart = "helm/closetrace"

// render returns the objects that helm makes of the chart, by kind.
func render(t *testing.T, args ...string) map[string]map[string]any {
	t.Helper()
	text, err := tool(t, "helm", append([]string{"helm", "template", "closetrace", chart}, args...)...)
	if err != nil {
		t.Fatal(text)
	}
	return objects(t, text)
}

func objects(t *testing.T, text string) map[string]map[string]any {
	t.Helper()
	byKind := map[string]map[string]any{}
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var object map[string]any
		if err := d.Decode(&object); errors.Is(err, io.EOF) {
			return byKind
		} else if err != nil {
			t.Fatal(err)
		}
		byKind[object["kind"].(string)] = object
	}
}

func at(object map[string]any, path ...string) map[string]any {
	for _, name := range path {
		object = object[name].(map[string]any)
	}
	return object
}

// TestChartIsTheManifests: helm makes of the default values what deploy/kubernetes has.
func TestChartIsTheManifests(t *testing.T) {
	if text, err := tool(t, "helm", "helm", "lint", "--strict", chart); err != nil {
		t.Error(text)
	}
	made := render(t)
	got, want := made["DaemonSet"], objects(t, read(t, "kubernetes/daemonset.yaml"))["DaemonSet"]
	for _, labels := range []map[string]any{at(got, "metadata", "labels"), at(got, "spec", "selector", "matchLabels"), at(got, "spec", "template", "metadata", "labels")} {
		if labels["app.kubernetes.io/instance"] != "closetrace" {
			t.Errorf("labels %v", labels)
		}
		delete(labels, "app.kubernetes.io/instance")
	}
	delete(at(got, "spec", "template", "metadata", "annotations"), "checksum/config")
	container := at(got, "spec", "template", "spec")["containers"].([]any)[0].(map[string]any)
	if container["image"] != "closetrace:latest" || container["imagePullPolicy"] != "IfNotPresent" {
		t.Errorf("image %v, %v", container["image"], container["imagePullPolicy"])
	}
	container["image"] = "closetrace"
	delete(container, "imagePullPolicy")
	if !reflect.DeepEqual(got, want) {
		a, _ := yaml.Marshal(got)
		b, _ := yaml.Marshal(want)
		t.Errorf("helm makes\n%s\nand the manifest is\n%s", a, b)
	}
	var configured, wanted map[string]any
	yaml.Unmarshal([]byte(at(made["ConfigMap"], "data")["agent.yaml"].(string)), &configured)
	yaml.Unmarshal([]byte(read(t, "kubernetes/agent.yaml")), &wanted)
	if len(wanted) == 0 || !maps.Equal(configured, wanted) {
		t.Errorf("configuration %v, want %v", configured, wanted)
	}
}

// TestChartValues: each value arrives where it belongs.
func TestChartValues(t *testing.T) {
	made := render(t, "--namespace", "mesh", "--set", "image.repository=r.example/c,image.tag=1.2.3,hostPID=true,config.max-rate=12000000",
		"--set", "env[0].name=OTEL_EXPORTER_OTLP_HEADERS,env[0].value=a=b", "--set", "imagePullSecrets[0].name=key",
		"--set", "tolerations=null,resources.limits.memory=1Gi,nodeSelector.pool=edge")
	pod := at(made["DaemonSet"], "spec", "template", "spec")
	text, err := yaml.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"hostPID: true", "image: r.example/c:1.2.3", "name: OTEL_EXPORTER_OTLP_HEADERS", "value: a=b", "pool: edge", "memory: 1Gi", "- name: key"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if c := at(made["ConfigMap"], "data")["agent.yaml"].(string); !strings.Contains(c, "max-rate: 12000000") {
		t.Errorf("configuration %q", c)
	}
}

// TestChartNames: --k8s-api with its account, or none at all.
func TestChartNames(t *testing.T) {
	if made := render(t); made["ServiceAccount"] != nil || made["ClusterRole"] != nil {
		t.Error("an account that nobody asked for")
	}
	checkNames(t, render(t, "--namespace", "mesh", "--set", "k8sAPI=true"), "closetrace-agent", "mesh", "mesh-closetrace-agent")
}
