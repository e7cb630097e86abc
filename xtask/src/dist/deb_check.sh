# Usage: deb_check PACKAGE NEWER, as root. Prints what libtest prints.
#
# dpkg works on a root of its own, with an administration of its own; the scripts of the
# package run outside it and see it as DPKG_ROOT.
set -u
package=$1 newer=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/log" "$root/etc"
: >"$root/var/lib/dpkg/status"
# Users are made here too.
for file in passwd group shadow gshadow; do
    : >"$root/etc/$file"
done
passed=0 failed=0

try() { # name command...
    name=$1
    shift
    if "$@" >"$root/said" 2>&1; then
        passed=$((passed + 1)) result=ok
    else
        failed=$((failed + 1)) result=FAILED
        cat "$root/said" >&2
    fi
    echo "test $name ... $result"
}
# In mounts of its own with an empty /run, so that the scripts find no systemd: a sensor that
# this machine runs must not be restarted or stopped for a test.
dpkg_here() {
    unshare --mount sh -c 'mount -t tmpfs none /run && exec dpkg "$@"' dpkg \
        --root="$root" --log="$root/var/log/dpkg.log" --force-script-chrootless \
        --force-depends "$@"
}
enabled() {
    test -L "$root/etc/systemd/system/multi-user.target.wants/lineage-sensor.service"
}
installed() {
    dpkg_here --install "$package" && enabled &&
        test -x "$root/usr/bin/lineage-sensor" &&
        test -f "$root/lib/systemd/system/lineage-sensor.service" -o \
            -f "$root/usr/lib/systemd/system/lineage-sensor.service" &&
        test -f "$root/etc/lineage-sensor/config.yaml" &&
        grep -q '^lineage-sensor:.*:/usr/sbin/nologin$' "$root/etc/passwd" &&
        grep -q '^lineage-sensor:' "$root/etc/group" &&
        test -f "$root/usr/share/man/man1/lineage-sensor-run.1.gz" &&
        test -f "$root/usr/share/zsh/vendor-completions/_lineage-sensor" &&
        test -f "$root/usr/share/fish/vendor_completions.d/lineage-sensor.fish" &&
        bash -c '. "$0" && complete -p lineage-sensor' \
            "$root/usr/share/bash-completion/completions/lineage-sensor" &&
        test "$("$root/usr/bin/lineage-sensor" --version)" = \
            "lineage-sensor $(dpkg-deb --field "$package" Version | sed 's/-.*//')"
}
configuration_is_good() {
    "$root/usr/bin/lineage-sensor" config check "$root/etc/lineage-sensor/config.yaml"
}
upgraded() {
    echo '# mine' >>"$root/etc/lineage-sensor/config.yaml"
    mkdir -p "$root/var/lib/lineage-sensor" && : >"$root/var/lib/lineage-sensor/history.db"
    dpkg_here --force-confold --install "$newer" &&
        tail -n 1 "$root/etc/lineage-sensor/config.yaml" | grep -q mine &&
        test -f "$root/var/lib/lineage-sensor/history.db"
}
removed() {
    dpkg_here --remove lineage-sensor &&
        test ! -e "$root/usr/bin/lineage-sensor" &&
        test -f "$root/etc/lineage-sensor/config.yaml" &&
        test -f "$root/var/lib/lineage-sensor/history.db"
}
purged() {
    dpkg_here --purge lineage-sensor &&
        test ! -e "$root/etc/lineage-sensor" &&
        test ! -e "$root/var/lib/lineage-sensor" &&
        test -z "$(find "$root" -name '*lineage-sensor*')"
}
# What is overridden stands in deploy/debian/lintian-overrides, with the reason.
lintian_is_silent() {
    said=$(lintian --allow-root --fail-on error,warning "$package") || { echo "$said" && false; }
    test -z "$said" || { echo "$said" && false; }
}

echo
echo "running 6 tests"
try lintian_is_silent lintian_is_silent
try it_installs installed
try its_configuration_is_good configuration_is_good
try an_upgrade_keeps_configuration_and_history upgraded
try removal_keeps_configuration_and_history removed
try purge_leaves_nothing purged
if [ "$failed" -gt 0 ]; then word=FAILED; else word=ok; fi
echo
echo "test result: $word. $passed passed; $failed failed; 0 ignored;"
[ "$failed" -eq 0 ]
