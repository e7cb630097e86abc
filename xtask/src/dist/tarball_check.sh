# Usage: tarball_check TARBALL PYTHON BOM_CHECK TREE. Prints what libtest prints.
set -u
tarball=$1 python=$2 bom_check=$3 tree=$4
directory=$(dirname "$tarball")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
unpacked=$root/$(basename "$tarball" .tar.gz)
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
sums_are_right() {
    (cd "$directory" && sha256sum --check --strict SHA256SUMS) &&
        grep --quiet " $(basename "$tarball")\$" "$directory/SHA256SUMS"
}
it_unpacks() {
    tar --extract --file "$tarball" --directory "$root" &&
        test "$(ls "$root" | grep -v said)" = "$(basename "$unpacked")" &&
        for file in lineage-sensor deploy/systemd/lineage-sensor.service \
            pages/man/lineage-sensor-run.1.gz pages/completions/bash/lineage-sensor \
            docs/configuration.md LICENSE-MIT lineage-sensor.cdx.json; do
            test -s "$unpacked/$file" || { echo "no $file" && return 1; }
        done
}
# As the README says: from the directory, with the configuration that lies there.
its_program_runs() {
    "$unpacked/lineage-sensor" config check "$unpacked/deploy/etc/config.yaml" &&
        "$unpacked/lineage-sensor" rules check
}
bill_is_valid_and_complete() {
    "$python" "$bom_check" "$unpacked/lineage-sensor.cdx.json" "$tree"
}

echo
echo "running 4 tests"
try the_sums_are_right sums_are_right
try it_unpacks_into_one_directory it_unpacks
try its_program_runs its_program_runs
try the_bill_of_materials_is_valid_and_complete bill_is_valid_and_complete
if [ "$failed" -gt 0 ]; then word=FAILED; else word=ok; fi
echo
echo "test result: $word. $passed passed; $failed failed; 0 ignored;"
[ "$failed" -eq 0 ]
