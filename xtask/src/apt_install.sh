# Installs the packages given as arguments, as root, without starting the services
# they bring. policy-rc.d is Debian's switch for that; one that is there already
# stays, and one put here goes again whatever happens.
set -eu
export DEBIAN_FRONTEND=noninteractive
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
    trap 'rm -f "$guard"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
fi
# An old list of packages may be enough, so a failure here is not the end.
apt-get update -q || echo "apt-get update failed; trying with the lists at hand" >&2
apt-get install -q -y --no-install-recommends "$@"
