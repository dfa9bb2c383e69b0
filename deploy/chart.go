package deploy

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

//go:embed kubernetes/daemonset.yaml
var daemonSet string

//go:embed kubernetes/names/access.yaml
var access string

//go:embed kubernetes/agent.yaml
var agentConfig string

// choices are the members of the DaemonSet that a value of the chart replaces. Each is
// one line of kubernetes/daemonset.yaml, whose text is the value's default.
var choices = []struct{ member, value, about string }{
	{"annotations", "podAnnotations", "Prometheus finds the agent by these."},
	{"tolerations", "tolerations", "Every node, also control planes."},
	{"nodeSelector", "nodeSelector", ""},
	{"resources", "resources", "The agent sheds detail at max-memory of its configuration."},
}

// A rewriting turns a line of the DaemonSet into one of the chart's template.
var rewritings = []struct{ line, template string }{
	{"\nmetadata:\n  name: closetrace-agent\n", "\nmetadata:\n  name: {{ .Release.Name }}-agent\n"},
	{"configMap: {name: closetrace-agent}", "configMap: {name: {{ .Release.Name }}-agent}"},
	{"{app.kubernetes.io/name: closetrace}", "{app.kubernetes.io/name: closetrace, app.kubernetes.io/instance: {{ .Release.Name }}}"},
	{"image: closetrace\n", "image: \"{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}\"\n          imagePullPolicy: {{ .Values.image.pullPolicy }}\n"},
	// Another configuration starts the agents anew, as with the name that kustomize makes.
	{"annotations: {{ toJson .Values.podAnnotations }}", "annotations: {{ merge (dict \"checksum/config\" (toJson .Values.config | sha256sum)) .Values.podAnnotations | toJson }}"},
	{"automountServiceAccountToken: false", "{{- if .Values.k8sAPI }}\n      serviceAccountName: {{ .Release.Name }}-agent\n      {{- end }}\n      automountServiceAccountToken: {{ .Values.k8sAPI }}"},
	{"          ports:", "            {{- if .Values.k8sAPI }}\n            - {name: CLOSETRACE_AGENT_K8S_API, value: \"true\"}\n            {{- end }}\n            {{- range .Values.env }}\n            - {{ toJson . }}\n            {{- end }}\n          ports:"},
	{"      terminationGracePeriodSeconds:", "      {{- if .Values.hostPID }}\n      hostPID: true\n      {{- end }}\n      {{- with .Values.imagePullSecrets }}\n      imagePullSecrets: {{ toJson . }}\n      {{- end }}\n      terminationGracePeriodSeconds:"},
}

// accessNames makes of the account's names those of a release. What is the cluster's, and
// not a namespace's, has both names.
var accessNames = strings.NewReplacer(
	"Account\nmetadata:\n  name: closetrace-agent", "Account\nmetadata:\n  name: {{ .Release.Name }}-agent",
	"kind: ServiceAccount, name: closetrace-agent, namespace: closetrace", "kind: ServiceAccount, name: {{ .Release.Name }}-agent, namespace: {{ .Release.Namespace }}",
	"name: closetrace-agent", "name: {{ .Release.Namespace }}-{{ .Release.Name }}-agent",
)

const configMap = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-agent
data:
  agent.yaml: {{ toYaml .Values.config | toJson }}
`

const otherValues = `# Values of the chart closetrace. Its objects are those of deploy/kubernetes.
image:
  repository: closetrace # REGISTRY/closetrace; docs/install.md has the command that copies the image there
  tag: "" # VERSION; if empty the chart's appVersion
  pullPolicy: IfNotPresent
imagePullSecrets: []
config:
%s# More variables of the agent, such as OTEL_EXPORTER_OTLP_HEADERS from a secret.
env: []
# true adds executables and users of processes; pods and containers are known without.
hostPID: false
# true names peers that are pods of other nodes, or services: an account that may list and watch them.
k8sAPI: false
`

const about = `apiVersion: v2
name: closetrace
description: Why the TCP connections of every node end, for an OpenTelemetry Collector and Prometheus
type: application
version: 0.1.0
appVersion: latest
sources: [https://github.com/closetrace/closetrace]
`

// Chart returns the files of the Helm chart by name: what deploy/kubernetes has, with
// places for values.
func Chart() (map[string]string, error) {
	template, values := daemonSet, fmt.Sprintf(otherValues, indent(agentConfig))
	for _, c := range choices {
		line := regexp.MustCompile(`(?m)^( +` + c.member + `: )([\[{].*)$`)
		found := line.FindAllStringSubmatch(template, -1)
		if len(found) != 1 {
			return nil, fmt.Errorf("daemonset.yaml has %d lines of %s, want one", len(found), c.member)
		}
		template = line.ReplaceAllString(template, "${1}{{ toJson .Values."+c.value+" }}")
		if c.about != "" {
			values += "# " + c.about + "\n"
		}
		values += c.value + ": " + found[0][2] + "\n"
	}
	for _, r := range rewritings {
		if !strings.Contains(template, r.line) {
			return nil, errors.New("daemonset.yaml does not have " + r.line)
		}
		template = strings.ReplaceAll(template, r.line, r.template)
	}
	return map[string]string{
		"Chart.yaml":               about,
		"values.yaml":              values,
		"templates/daemonset.yaml": template,
		"templates/configmap.yaml": configMap,
		"templates/access.yaml":    "{{- if .Values.k8sAPI }}\n" + accessNames.Replace(access) + "{{- end }}\n",
	}, nil
}

// indent puts the lines of a map two columns to the right, under a key.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}
