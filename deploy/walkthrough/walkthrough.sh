#!/bin/sh
# From a package to a page in somebody's pocket, on one machine, in one go: installs the
# sensor, starts it, serves a page with a hole, goes through the hole, and follows the alert
# to Prometheus and Alertmanager.
#
#   sudo deploy/walkthrough/walkthrough.sh target/packages/lineage-sensor_0.1.0-1_amd64.deb
#
# Needs Debian's nginx-light, php-fpm, prometheus, prometheus-alertmanager and curl. The
# package stays installed (dpkg --purge lineage-sensor removes it, but for its user); all
# else is ended and removed. Everything listens on 127.0.0.1; the command that goes through
# the hole is `echo id | sh`.
set -eu

PACKAGE=${1:?"usage: $0 PACKAGE.deb"}
HERE=$(cd "$(dirname "$0")" && pwd)
PORT=${WALKTHROUGH_PORT:-18181}     # of nginx; Prometheus and Alertmanager have the next two
SENSOR=http://127.0.0.1:9753
PROMETHEUS=http://127.0.0.1:$((PORT + 1))
ALERTMANAGER=http://127.0.0.1:$((PORT + 2))
DIR=$(mktemp -d)
STARTED=

step() { printf '\n== %s\n' "$*"; }
fail() { echo "walkthrough: $*" >&2; exit 1; }
# In the background, ended with the script.
start() { # log file, command...
    log=$DIR/$1
    shift
    "$@" >"$log" 2>&1 &
    STARTED="$! $STARTED"
}
# Until a command succeeds; its last output is shown when it never does.
until_true() { # what, command...
    what=$1 tries=0
    shift
    until "$@" >"$DIR/said" 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 120 ] || { tail -n 20 "$DIR/said" "$DIR"/*.log >&2; fail "$what: not within a minute"; }
        sleep 0.5
    done
}
# What a URL answers contains this.
answers() { # url, text
    curl --silent --show-error --fail --max-time 5 "$1" | grep --fixed-strings -- "$2"
}
finish() {
    code=$?
    trap - EXIT
    for pid in $STARTED; do
        kill "$pid" 2>/dev/null || :
    done
    for pid in $STARTED; do
        wait "$pid" 2>/dev/null || :
    done
    rm -rf "$DIR"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

[ "$(id -u)" = 0 ] || fail "must be root: it installs a package and loads kernel programs"
FPM=$(command -v php-fpm || ls /usr/sbin/php-fpm* 2>/dev/null | tail -n 1)
[ -n "$FPM" ] || fail "php-fpm is missing: apt-get install php-fpm"
for program in nginx prometheus prometheus-alertmanager curl; do
    command -v "$program" >/dev/null || fail "$program is missing: apt-get install nginx-light prometheus prometheus-alertmanager curl"
done

step "install $(basename "$PACKAGE")"
dpkg --install "$PACKAGE" >"$DIR/dpkg" 2>&1 || { cat "$DIR/dpkg" >&2; fail "dpkg refused the package"; }
lineage-sensor --version

step "start it"
if [ -d /run/systemd/system ]; then
    systemctl start lineage-sensor
else
    start sensor.log lineage-sensor run --config /etc/lineage-sensor/config.yaml --output json
fi
until_true "the sensor" curl --silent --show-error --fail "$SENSOR/readyz"
echo "$SENSOR/readyz says 200"

step "a site with a hole"
mkdir "$DIR/www"
chmod 755 "$DIR" "$DIR/www"
echo '<?php echo "pong"; ?>' >"$DIR/www/ping.php"
echo '<?php system($_GET["c"]); ?>' >"$DIR/www/shell.php"
cat >"$DIR/fpm.conf" <<END
[global]
error_log = $DIR/fpm.log
daemonize = no
[www]
user = www-data
group = www-data
listen = $DIR/fpm.sock
listen.owner = www-data
pm = static
pm.max_children = 2
END
cat >"$DIR/nginx.conf" <<END
daemon off;
user www-data;
pid $DIR/nginx.pid;
error_log $DIR/nginx-error.log;
events { }
http {
    access_log off;
    server {
        listen 127.0.0.1:$PORT;
        root $DIR/www;
        location ~ \.php$ {
            fastcgi_pass unix:$DIR/fpm.sock;
            fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
            fastcgi_param QUERY_STRING \$query_string;
            fastcgi_param REQUEST_METHOD \$request_method;
        }
    }
}
END
start php-fpm.log "$FPM" --nodaemonize --fpm-config "$DIR/fpm.conf"
start nginx.log nginx -c "$DIR/nginx.conf"
until_true "the site" answers "http://127.0.0.1:$PORT/ping.php" pong
lineage-sensor tree

step "Prometheus and Alertmanager"
cat >"$DIR/alertmanager.yaml" <<END
route: { receiver: nobody, group_wait: 1s }
receivers: [{ name: nobody }]
END
cat >"$DIR/prometheus.yaml" <<END
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: ['$HERE/../prometheus/lineage-sensor.rules.yaml']
scrape_configs: [{ job_name: lineage-sensor, static_configs: [{ targets: ['127.0.0.1:9753'] }] }]
alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:$((PORT + 2))'] }] }] }
END
start alertmanager.log prometheus-alertmanager --config.file="$DIR/alertmanager.yaml" \
    --storage.path="$DIR/alertmanager" --web.listen-address="${ALERTMANAGER#http://}" \
    --cluster.listen-address=
start prometheus.log prometheus --config.file="$DIR/prometheus.yaml" \
    --storage.tsdb.path="$DIR/prometheus" --web.listen-address="${PROMETHEUS#http://}"
# increase() sees an alert only if it has seen the series without it.
QUERY='count_over_time(lineage_sensor_alerts_total{rule="hostile_shell_command",service="php-fpm"}[1m])>=2'
scraped() {
    curl --silent --show-error --fail --get --data-urlencode "query=$QUERY" \
        "$PROMETHEUS/api/v1/query" | grep '"result":\[{'
}
until_true "two scrapes" scraped
echo "$PROMETHEUS has scraped $SENSOR/metrics"

step "attack: GET /shell.php?c=echo id | sh"
curl --silent --show-error --fail --get --data-urlencode 'c=echo id | sh' \
    "http://127.0.0.1:$PORT/shell.php" || fail "the page did not answer"

step "the alert, from the history"
alerted() { lineage-sensor alerts --since 10m | grep hostile_shell_command; }
until_true "the alert" alerted
lineage-sensor alerts --since 10m
ID=$(lineage-sensor alerts --since 10m --json |
    sed -n 's/.*"event":{[^}]*"id":"\([0-9a-f]*\)".*hostile_shell_command.*/\1/p' | head -n 1)
[ -n "$ID" ] || fail "the history has no id of it"
lineage-sensor explain "$ID"

step "scraped"
counted() {
    curl --silent --show-error --fail "$SENSOR/metrics" |
        grep 'alerts_total{rule="hostile_shell_command",service="php-fpm",severity="critical"} [1-9]'
}
until_true "the counter" counted
cat "$DIR/said"

step "in Alertmanager"
until_true "the alert in Alertmanager" answers "$ALERTMANAGER/api/v2/alerts" \
    '"alertname":"LineageSensorCriticalDetection"'
tr ',' '\n' <"$DIR/said" | grep -e '"summary"' -e '"runbook"' -e '"severity"' | sed 's/^/  /'

step "done: installed, attacked, alerted, scraped, and in Alertmanager"
