#!/usr/bin/env bash
# Builds everything once and runs all tests. It ends with the ten suites that took longest and with what failed, and the
# last line says how many tests passed and failed.
#
#   scripts/test.sh [ARGUMENT...]    arguments go to swift test, such as --filter TidyTests; with any, the tests of
#                                    serverless/, which are Python's, are left out
set -euo pipefail
cd "$(dirname "$0")/.."

results=.build/test-results
report="$results/tests.xml"
# swift test adds the library's name to the file of Swift Testing.
testing_report="$results/tests-swift-testing.xml"
log="$results/tests.log"
# When each case of a test began and ended.
events="$results/tests.jsonl"

# Two tests a core: some wait for files and sockets, and more at once would only take each other's time.
: "${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:=$((2 * $(nproc)))}"
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH

deployment_report="$results/serverless.xml"
deployment_log="$results/serverless.log"

# Prints "PASSED FAILED" of a report with one testcase a test; nothing and false when it is not there or unfinished.
count_report() {
    [[ -s "$1" ]] && grep -q '</testsuites>' "$1" || return 1
    # pytest writes all of them on one line.
    sed 's/<testcase /\n&/g' "$1" | awk '
        /<testcase / { cases++; bad = 0 }
        /<skipped/ { skipped++ }
        /<failure|<error/ && !bad { failed++; bad = 1 }
        END { print cases - skipped - failed + 0, failed + 0 }'
}

# The report of Swift's tests is unfinished when they crashed, and then the log tells which had begun and never ended.
count_swift() {
    count_report "$testing_report" || count_report "$report" || awk '
        /^◇ Test case / || /^◇ Test run / { next }
        /^◇ Test .* started\.$/ { begun++ }
        /^(✔|━) Test .* passed after / && !/ Test run / { passed++ }
        END { failed = begun - passed; print passed + 0, (failed > 0 ? failed : 1) }' "$log"
}

count_deployment() {
    count_report "$deployment_report" || echo "0 1"
}

# Prints the ten suites of Swift's tests that the run waited for longest: the time between the end of one test and the
# end of the next counts for the suite of the next. All tests are told to begin in the beginning and then wait for their
# turn, so the times that the report gives them say little. Together the times of all suites are the time of the run.
print_slowest() {
    [[ -s "$events" ]] || return 0
    echo "the slowest suites, in seconds:"
    sed -nE 's/.*"absolute":([0-9.]+).*"kind":"test(Case)?(Started|Ended)".*"testID":"([^"\\]+).*/\3 \1 \4/p' "$events" |
        awk '$1 == "Ended" { sum[$3] += $2 - last; last = $2 } !last { last = $2 }
            END { for (suite in sum) printf "%8.1f  %s\n", sum[suite], suite }' |
        sort -rn | sed 10q
}

# What failed, and why, a line each: at the end of an output of thousands of lines it is found, further up it is not.
print_failures() {
    cat "$log" "$deployment_log" 2>/dev/null | grep -aE '^✘ Test .* recorded an issue|^(FAILED|ERROR) ' | cut -c 1-400 |
        tee "$results/failures"
}

mkdir -p "$results"
rm -f "$report" "$testing_report" "$deployment_report" "$log" "$deployment_log" "$events" "$results"/{summary,failures}

# LedgerTests run the ledger binary that this same build leaves beside them.
swift build --build-tests --explicit-target-dependency-import-check error

# What the tests need is started for them, and goes however this ends.
stops=()
# shellcheck disable=SC2317 # The trap calls it.
stop_all() {
    local stop
    for stop in "${stops[@]}"; do $stop; done
}
trap stop_all EXIT

# The emulator of AWS, unless one is named by its address.
if [[ -z "${LEDGER_TEST_AWS:-}" ]]; then
    stops+=("scripts/aws.sh stop")
    line="$(scripts/aws.sh start)"
    eval "$line"
fi

# A PostgreSQL cluster of the tests' own, unless one is named by its socket's directory.
if [[ -z "${LEDGER_TEST_POSTGRES:-}" ]]; then
    LEDGER_TEST_POSTGRES="$(mktemp -d /tmp/ledger-postgres.XXXXXX)"
    export LEDGER_TEST_POSTGRES
    stops+=("scripts/postgres.sh stop $LEDGER_TEST_POSTGRES")
    scripts/postgres.sh start "$LEDGER_TEST_POSTGRES"
fi

status=0
swift test --skip-build --disable-xctest --xunit-output "$report" --event-stream-output-path "$events" \
    --event-stream-version 0 "$@" </dev/null 2>&1 | tee "$log" || status=$?

read -r passed failed < <(count_swift)
if [[ $((passed + failed)) -eq 0 ]]; then
    echo "test.sh: no test ran" >&2
    status=1
elif [[ $status -ne 0 && $failed -eq 0 ]]; then
    echo "test.sh: swift test ended with status $status, though no test reports a failure" >&2
elif [[ $status -eq 0 && $failed -gt 0 ]]; then
    echo "test.sh: tests failed, though swift test ended well" >&2
    status=1
fi

if [[ $# -eq 0 ]]; then
    # The programs are built by now: the tests that need them fail without.
    LEDGER_TEST_PROGRAMS=built .build/python/bin/python -m pytest --quiet --junit-xml "$deployment_report" \
        serverless/tests </dev/null 2>&1 | tee "$deployment_log" || status=1
    read -r more_passed more_failed < <(count_deployment)
    passed=$((passed + more_passed)) failed=$((failed + more_failed))
fi
print_slowest
print_failures || true
echo "$passed passed, $failed failed" | tee "$results/summary"
exit "$status"
