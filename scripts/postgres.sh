#!/usr/bin/env bash
# Starts and stops a PostgreSQL cluster of the tests' own.
#
#   scripts/postgres.sh start DIR [PORT]  makes the cluster in the directory DIR, or starts it again; ready when this
#                                         returns
#   scripts/postgres.sh halt DIR          stops it at once, as if the power had gone, and keeps its files
#   scripts/postgres.sh stop DIR          stops it and removes DIR
#
# DIR is one that mktemp -d /tmp/ledger-postgres.XXXXXX has made; its path has to be short, for sockets' paths are. The
# cluster listens on a Unix socket in DIR and on nothing else, so it is in no other cluster's way; with PORT it listens
# on that port of 127.0.0.1 too. PostgreSQL refuses to run as root: then it runs as the user postgres, or nobody.
set -euo pipefail

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

usage="usage: scripts/postgres.sh start DIR [PORT] | halt DIR | stop DIR"
[[ $# -eq 2 || ($# -eq 3 && "$1" == start && "$3" =~ ^[0-9]+$) ]] || fail "$usage"
action="$1"
directory="$2"
port="${3:-}"
# What is removed at the end is to be nothing else by mistake.
[[ "$(basename "$directory")" == ledger-postgres.* && -d "$directory" ]] ||
    fail "postgres.sh: $directory is no directory called ledger-postgres.*; make one with mktemp -d"
directory="$(cd "$directory" && pwd)"
files="$directory/data"
log="$directory/log"

programs=
for candidate in /usr/lib/postgresql/15/bin "$(dirname "$(command -v initdb || echo /none/initdb)")"; do
    if [[ -x "$candidate/initdb" ]]; then programs="$candidate" && break; fi
done
[[ -n "$programs" ]] || fail "postgres.sh: PostgreSQL's server is not installed: run scripts/install.sh test"

unprivileged() {
    if [[ $EUID -ne 0 ]]; then
        "$@"
        return
    fi
    # The caller's directory may be closed to that user.
    (cd / && runuser -u "$(id -un postgres 2>/dev/null || echo nobody)" -- "$@")
}

make_cluster() {
    if [[ $EUID -eq 0 ]]; then chown "$(id -un postgres 2>/dev/null || echo nobody)" "$directory"; fi
    chmod 700 "$directory"
    unprivileged "$programs/initdb" --pgdata="$files" --username=postgres --auth=trust --encoding=UTF8 --locale=C \
        --no-sync --no-instructions >"$directory/initdb.log" 2>&1 || fail "$(cat "$directory/initdb.log")"
    # What a test kills is the server and not the machine, so the kernel keeps what was written without fsync.
    unprivileged tee -a "$files/postgresql.conf" >/dev/null <<EOF
listen_addresses = ''
unix_socket_directories = '$directory'
max_connections = 200
shared_buffers = 64MB
fsync = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 2GB
lc_messages = 'C'
timezone = 'UTC'
EOF
}

start() {
    [[ -e "$files/PG_VERSION" ]] || make_cluster
    # Nothing of the caller's stays open in the server: who waits for the end of a pipe would wait for the server's.
    local open
    for open in "/proc/$BASHPID/fd/"*; do
        open="${open##*/}"
        # Bash reads this script by 255, and closes it itself.
        if ((open > 2 && open != 255)); then eval "exec $open>&-"; fi
    done
    local own=()
    [[ -z "$port" ]] || own=(--options="-c listen_addresses=127.0.0.1 -p $port")
    unprivileged "$programs/pg_ctl" --pgdata="$files" --log="$log" "${own[@]}" --wait --timeout=60 start \
        </dev/null >/dev/null 2>&1 ||
        fail "postgres.sh: the cluster did not start:" "$(tail -n 20 "$log" 2>&1)"
}

halt() {
    if unprivileged "$programs/pg_ctl" --pgdata="$files" status >/dev/null 2>&1; then
        unprivileged "$programs/pg_ctl" --pgdata="$files" --mode=immediate --wait --timeout=60 stop </dev/null >/dev/null
    fi
}

case "$action" in
    start) start ;;
    halt) halt ;;
    stop) halt && rm -rf "$directory" ;;
    *) fail "$usage" ;;
esac
