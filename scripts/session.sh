#!/usr/bin/env bash
# Does what README.md and docs/tutorial.md show with a built program, and compares each answer with the one that stands
# there, but for ids, times and hashes. Each document begins with a new ledger, as somebody does who reads one of them.
#
#   scripts/session.sh [PROGRAM]    .build/release/ledger unless another is named
set -euo pipefail
cd "$(dirname "$0")/.."

program="$(realpath "${1:-.build/release/ledger}")"
scratch="$(mktemp -d)"
server="" port="" sample="" id=""
# shellcheck disable=SC2317 # The trap calls it.
end() {
    [[ -z "$server" ]] || kill "$server" 2>/dev/null || true
    rm -rf "$scratch"
}
trap end EXIT
# The server is on this machine, whatever proxy others need.
export no_proxy='*' NO_PROXY='*'

fail() {
    printf 'session.sh: %s\n' "$@" >&2
    exit 1
}

# Writes the N-th command of a document to N.command and what is printed below it to N.output. What make does is left
# out: the program is built, and the server is started here.
split_session() {
    awk -v folder="$scratch" '
        /^```/ { fenced = !fenced; part = "" }
        !fenced { next }
        /^\$ make / { part = ""; next }
        /^\$ / { count++; part = "command"; $0 = substr($0, 3) }
        part == "" || $0 == "" { next }
        { print > (folder "/" count "." part) }
        part == "command" && !/\\$/ { part = "output" }
        END { print count + 0 > (folder "/count") }' "$1"
}

# One line for each answer: the documents fold them, with blanks before what goes on.
unfold() {
    awk '/^ / { sub(/^ +/, ""); printf "%s", $0; next } { printf "%s%s", (NR > 1 ? "\n" : ""), $0 } END { print "" }'
}

# What differs from one session to the next.
mask() {
    sed -E 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ID/g
            s/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g
            s#[A-Za-z0-9+/]{43}=#HASH#g'
}

# The columns of a table that a head of it names; blanks between columns and the lines under the head say nothing.
columns() {
    awk -v head="$1" '
        BEGIN { count = split(head, names, " +") }
        /^[- ]+$/ { next }
        !seen { seen = 1; for (i = 1; i <= NF; i++) place[$i] = i }
        { line = ""; for (i = 1; i <= count; i++) line = line (i > 1 ? " " : "") $place[names[i]]; print line }'
}

# Runs the N-th command against the server here.
answer() {
    sed -e "s#localhost:8080#localhost:$port#; s#  *\# .*##; s#${sample:-no id yet}#$id#" \
        -e "/^\.build.release.ledger history/s#\$# --format table#" \
        -e "s#^\.build/release/ledger \([a-z]*\)#'$program' \1 --data '$scratch/data'#" \
        "$scratch/$1.command" >"$scratch/run"
    bash "$scratch/run" 2>&1
}

# Reads an answer, in the form in which two are compared.
stable() {
    local text
    text="$(unfold | mask)"
    [[ "$1" != version\ * ]] || text="$(columns "$1" <<<"$text")"
    echo "$text"
}

# Asks until the answer is the one that is wanted: an appointment needs a moment until it is completed.
compare() {
    local head wanted found tries
    head="$(head -n 1 "$scratch/$1.output")"
    wanted="$(stable "$head" <"$scratch/$1.output")"
    for tries in {1..100}; do
        answer "$1" >"$scratch/answer" || true
        found="$(stable "$head" <"$scratch/answer")"
        [[ "$found" != "$wanted" ]] || return 0
        # Only a question may be asked again.
        ! grep -q POST "$scratch/$1.command" || break
        sleep 0.1
    done
    fail "command $1 of $2 was answered otherwise, after $tries tries" "$2: $wanted" "here: $found"
}

# Starts a server on a new ledger, and sets its port.
start_server() {
    rm -rf "$scratch/data"
    : >"$scratch/log"
    "$program" serve --data "$scratch/data" --port 0 2>"$scratch/log" &
    server=$!
    port=""
    local _
    for _ in {1..300}; do
        port="$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$scratch/log")"
        [[ -z "$port" ]] || return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    fail "the server did not start: $(tail -n 3 "$scratch/log")"
}

stop_server() {
    kill "$server"
    wait "$server" || fail "the server ended with status $?: $(tail -n 3 "$scratch/log")"
    server=""
}

# Does what a document shows, which is at least so many commands.
do_session() {
    local count number uuid='[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
    rm -f "$scratch"/*.command "$scratch"/*.output
    split_session "$1"
    count="$(<"$scratch/count")"
    [[ "$count" -ge "$2" ]] || fail "$1 shows $count commands; at least $2 are known"
    sample="" id=""
    start_server
    for number in $(seq "$count"); do
        compare "$number" "$1"
        if [[ -z "$id" ]]; then
            sample="$(grep -oE "$uuid" "$scratch/$number.output" | head -n 1)"
            id="$(grep -oE "$uuid" "$scratch/answer" | head -n 1)"
        fi
    done
    stop_server
    echo "session.sh: $count commands of $1, each answered as it says"
}

do_session README.md 2
do_session docs/tutorial.md 9
