#!/bin/sh
# The tests against real parts, in both modes. Installs what it needs where it may (root on Debian);
# elsewhere the tests of a missing part skip visibly. With CI=true a missing part is a failure.
set -eu
python=.venv/bin/python
packages="openipmi libopenipmi-dev gcc libc6-dev freeipmi-tools ipmitool chromium fonts-noto-cjk"

install_parts() {
    for tool in ipmi_sim gcc ipmipower ipmitool chromium; do
        command -v "$tool" >/dev/null || missing=yes
    done
    [ "${missing:-no}" = yes ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    # No daemon may start by itself.
    [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; }
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
}

answers() {
    "$python" - "$1" "$2" <<'PY'
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).close()
except OSError:
    sys.exit(1)
PY
}

install_parts

echo "== real parts, embedded mode"
"$python" -m pytest -n 2 --dist loadgroup -m service

database="${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres}"
redis="${TEST_REDIS_URL:-redis://127.0.0.1:6379/9}"
if answers 127.0.0.1 5432 && answers 127.0.0.1 6379; then
    echo "== what touches database, queue, cache or push, on PostgreSQL and Redis"
    DATABASE_URL="$database" REDIS_URL="$redis" \
        "$python" -m pytest -n 2 -m "not service" \
        apps/core apps/audit apps/clusters apps/accounts apps/inventory apps/jobs apps/power apps/discovery bmcportal
elif [ "${CI:-}" = true ]; then
    echo "PostgreSQL on 127.0.0.1:5432 and Redis on 127.0.0.1:6379 are needed here." >&2
    exit 1
else
    echo "SKIPPED: production mode needs PostgreSQL on 127.0.0.1:5432 and Redis on 127.0.0.1:6379."
fi
