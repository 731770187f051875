#!/usr/bin/env bash
# Starts and stops the emulator of AWS that the tests run against, on a free port of the loopback address.
#
#   scripts/aws.sh start     prints the line to evaluate: export LEDGER_TEST_AWS=http://127.0.0.1:PORT
#   scripts/aws.sh stop
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.build/aws

start() {
    local python port tries
    python="$(scripts/python.sh)"
    mkdir -p "$folder"
    stop
    port="$(PYTHONPATH=serverless/scripts "$python" -c 'from emulator import free_port; print(free_port())')"
    # Without these a program that the emulator starts would call the real AWS.
    env BIND_HOST=127.0.0.1 MINISTACK_HOST=127.0.0.1 GATEWAY_PORT="$port" IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 \
        AWS_ENDPOINT_URL="http://127.0.0.1:$port" AWS_ACCESS_KEY_ID=000000000000 AWS_SECRET_ACCESS_KEY=secret \
        AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true \
        setsid timeout --kill-after=5s 3h "$(dirname "$python")/ministack" >"$folder/log" 2>&1 </dev/null &
    echo $! >"$folder/pid"
    for tries in {1..150}; do
        if curl --silent --fail --max-time 2 "http://127.0.0.1:$port/_ministack/health" >"$folder/health"; then
            echo "export LEDGER_TEST_AWS=http://127.0.0.1:$port"
            return
        fi
        kill -0 "$(cat "$folder/pid")" 2>/dev/null || break
        sleep 0.2
    done
    echo "aws.sh: the emulator does not answer after ${tries} tries; its log ends with:" >&2
    tail -n 20 "$folder/log" >&2
    stop
    return 1
}

stop() {
    if [[ -s "$folder/pid" ]]; then
        # It leads a process group of its own: what it has started ends with it.
        kill -- "-$(cat "$folder/pid")" 2>/dev/null || true
        rm -f "$folder/pid"
    fi
}

case "${1:-}" in
start) start ;;
stop) stop ;;
*)
    echo "usage: scripts/aws.sh start|stop" >&2
    exit 1
    ;;
esac
