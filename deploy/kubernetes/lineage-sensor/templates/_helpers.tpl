{{- define "lineage-sensor.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "lineage-sensor.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "lineage-sensor.labels" -}}
{{ include "lineage-sensor.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "lineage-sensor.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "lineage-sensor.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}
{{ .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create -}}
{{ include "lineage-sensor.fullname" . }}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{- define "lineage-sensor.priorityClass" -}}
{{- if .Values.priorityClass.name -}}
{{ .Values.priorityClass.name }}
{{- else if .Values.priorityClass.create -}}
{{ include "lineage-sensor.fullname" . }}
{{- end -}}
{{- end -}}

{{- /* Files below /etc/lineage-sensor, as data of a ConfigMap. */ -}}
{{- define "lineage-sensor.files" -}}
config.yaml: |
  {{- toYaml .Values.config | nindent 2 }}
{{- with .Values.profile }}
lineage.lock: |
  {{- . | nindent 2 }}
{{- end }}
{{- range $name, $text := .Values.rules }}
{{ printf "rule.%s" $name }}: |
  {{- $text | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What of the configuration the sensor does not take up while it runs. */ -}}
{{- define "lineage-sensor.fixed" -}}
{{- $fixed := omit .Values.config "log" "output" "profiles" "rules" "services" "sinks" "watch" -}}
{{- range $section := list "log" "output" -}}
{{- with omit (get $.Values.config $section | default dict) "level" -}}
{{- $_ := set $fixed $section . -}}
{{- end -}}
{{- end -}}
{{- toYaml $fixed -}}
{{- end -}}
