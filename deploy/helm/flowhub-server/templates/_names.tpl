{{- define "flowhub-server.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "flowhub-server.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "flowhub-server.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "flowhub-server.selector" -}}
app.kubernetes.io/name: flowhub-server
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "flowhub-server.labels" -}}
{{ include "flowhub-server.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: flowhub-assets
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "flowhub-server.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "flowhub-server.probe" -}}
httpGet: {path: {{ .path | quote }}, port: rest}
{{ omit . "path" | toYaml }}
{{- end -}}
