# Usage: walkthrough_check SCRIPT PACKAGE, as root, in mounts of its own. Prints what libtest
# prints.
#
# What the script installs goes to a layer in memory above this machine's directories, and
# goes away with it; with an empty /run there is no systemd to ask.
set -u
script=$1 package=$2
layers=$(mktemp -d)
said=$(mktemp)
trap 'rm -f "$said"; umount --lazy "$layers"; rmdir "$layers"' EXIT
isolate() {
    mount -t tmpfs none "$layers" || return
    for name in usr etc var; do
        mkdir -p "$layers/$name/upper" "$layers/$name/work" &&
            mount -t overlay overlay -o "lowerdir=/$name,upperdir=$layers/$name/upper" \
                -o "workdir=$layers/$name/work" "/$name" || return
    done
    mount -t tmpfs none /run
}
# What a sensor without a user of its own has left: the package hands it over, or there would
# be no history to read.
inherit() {
    rm -rf /var/lib/lineage-sensor && mkdir -m 0700 /var/lib/lineage-sensor &&
        (umask 077 && : >/var/lib/lineage-sensor/history.db)
}

echo
echo "running 1 test"
if isolate >"$said" 2>&1 && inherit >"$said" 2>&1 && "$script" "$package" >"$said" 2>&1; then
    word=ok passed=1 failed=0
else
    cat "$said" >&2
    word=FAILED passed=0 failed=1
fi
echo "test an_attack_on_a_fresh_installation_reaches_alertmanager ... $word"
echo
echo "test result: $word. $passed passed; $failed failed; 0 ignored;"
[ "$failed" -eq 0 ]
