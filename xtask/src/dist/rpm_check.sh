# Usage: rpm_check PACKAGE NEWER, as root. Prints what libtest prints.
#
# rpm works on a root of its own, with a database of its own. Scriptlets run in that root,
# where there is a shell and no systemd, so that nothing of this machine is touched.
set -u
package=$1 newer=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/var/lib/rpm"
busybox=$(command -v busybox)
cp "$busybox" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
ln -s busybox "$root/bin/grep"
# What the package asks of shadow's: the same line in /etc/passwd.
mkdir -p "$root/etc" "$root/usr/sbin"
: >"$root/etc/passwd"
cat >"$root/usr/sbin/useradd" <<'END'
#!/bin/sh
for name in "$@"; do :; done
echo "$name:x:998:998::/nonexistent:/sbin/nologin" >>/etc/passwd
END
chmod +x "$root/usr/sbin/useradd"
# Where it is linked to libraries, it finds them.
ldd "$busybox" | grep --only-matching '/[^ )]*' | while read -r library; do
    mkdir -p "$root$(dirname "$library")" && cp --dereference "$library" "$root$library"
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
rpm_here() {
    rpm --root="$root" --dbpath=/var/lib/rpm "$@"
}
# --nodeps: /bin/sh is there, but no package of this root owns it. Debian's rpm warns against
# itself on standard error.
change() {
    rpm_here --nodeps "$@"
}
# What an administrator looks at before installing.
inspected() {
    rpm --query --package --list "$package" >"$root/list" &&
        for file in /usr/bin/lineage-sensor /usr/lib/systemd/system/lineage-sensor.service \
            /etc/lineage-sensor/config.yaml /usr/share/man/man1/lineage-sensor-run.1.gz \
            /usr/share/bash-completion/completions/lineage-sensor; do
            grep --quiet --line-regexp "$file" "$root/list" || { echo "no $file" && return 1; }
        done &&
        test "$(rpm --query --package --configfiles "$package")" = \
            /etc/lineage-sensor/config.yaml &&
        test "$(rpm --query --package --queryformat '%{LICENSE}' "$package")" = \
            "MIT OR Apache-2.0" &&
        rpm --checksig --nosignature "$package"
}
# Its own scriptlets are well-formed, and ask only /bin/sh of others.
scripts_are_good() {
    rpm --query --package --queryformat '%{PREIN}\n%{POSTIN}\n%{PREUN}\n%{POSTUN}\n' "$package" | sh -n &&
        ! rpm --query --package --requires "$package" | grep -v -e '^/bin/sh$' -e '^/usr/sbin/useradd$' -e '^rpmlib('
}
installed() {
    change --install "$package" &&
        change --verify lineage-sensor &&
        test "$(grep -c '^lineage-sensor:' "$root/etc/passwd")" = 1 &&
        test "lineage-sensor $(rpm_here --query --queryformat '%{VERSION}' lineage-sensor)" = \
            "$("$root/usr/bin/lineage-sensor" --version)"
}
configuration_is_good() {
    "$root/usr/bin/lineage-sensor" config check "$root/etc/lineage-sensor/config.yaml"
}
upgraded() {
    echo '# mine' >>"$root/etc/lineage-sensor/config.yaml"
    mkdir -p "$root/var/lib/lineage-sensor" && : >"$root/var/lib/lineage-sensor/history.db"
    change --upgrade "$newer" &&
        test "$(rpm_here --query --queryformat '%{RELEASE}' lineage-sensor)" = 2 &&
        tail -n 1 "$root/etc/lineage-sensor/config.yaml" | grep -q mine &&
        test -f "$root/var/lib/lineage-sensor/history.db"
}
erased() {
    change --erase lineage-sensor &&
        test ! -e "$root/usr/bin/lineage-sensor" &&
        test -f "$root/etc/lineage-sensor/config.yaml.rpmsave" &&
        test -f "$root/var/lib/lineage-sensor/history.db" &&
        test -z "$(find "$root/usr" -name '*lineage-sensor*')"
}

echo
echo "running 6 tests"
try it_lists_what_it_should inspected
try its_scriptlets_are_good scripts_are_good
try it_installs installed
try its_configuration_is_good configuration_is_good
try an_upgrade_keeps_configuration_and_history upgraded
try erasing_keeps_a_changed_configuration_and_the_history erased
if [ "$failed" -gt 0 ]; then word=FAILED; else word=ok; fi
echo
echo "test result: $word. $passed passed; $failed failed; 0 ignored;"
[ "$failed" -eq 0 ]
