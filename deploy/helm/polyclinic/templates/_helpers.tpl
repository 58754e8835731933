{{/* The names of the services that this clinic has, in the order of the alphabet. */}}
{{- define "polyclinic.names" -}}
{{- $names := list -}}
{{- range $name, $service := .Values.services -}}
{{- if $service.enabled }}{{ $names = append $names $name }}{{ end -}}
{{- end -}}
{{- if not $names }}{{ fail "services: at least one has to be enabled." }}{{ end -}}
{{- $names | sortAlpha | join "," -}}
{{- end -}}

{{- define "polyclinic.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "polyclinic.peers" -}}
{{- $root := . -}}
{{- $peers := list -}}
{{- range $name := splitList "," (include "polyclinic.names" .) -}}
{{- $peers = append $peers (printf "%s=http://%s-%s:8080" $name $root.Release.Name $name) -}}
{{- end -}}
{{- $peers | join "," -}}
{{- end -}}

{{- define "polyclinic.labels" -}}
app.kubernetes.io/name: polyclinic
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "polyclinic.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "polyclinic.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "polyclinic.probes" -}}
startupProbe:
  httpGet: { path: /health/live, port: http }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /health/live, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet: { path: /health/ready, port: http }
  periodSeconds: 5
  timeoutSeconds: 4
{{- end -}}

{{- define "polyclinic.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: {{ .root.Values.topologyKey }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "polyclinic.labels" . | nindent 8 }}
{{- end -}}
