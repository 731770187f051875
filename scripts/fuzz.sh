#!/usr/bin/env bash
# Gives random bytes to the readers of the log's formats, with libFuzzer. x86-64 Linux only: other toolchains of Swift
# lack its runtime.
#
#   scripts/fuzz.sh RUNS [READER...]     readers: those of Tests/Fuzz/Fuzz.swift, all by default
#
# A failure leaves the input that led to it in .build/fuzz/READER, and the command fails.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ $# -ge 1 && "$1" =~ ^[0-9]+$ ]] || { echo "usage: scripts/fuzz.sh RUNS [READER...]" >&2 && exit 1; }
runs="$1"
shift
readers=("$@")
[[ ${#readers[@]} -gt 0 ]] ||
    readers=(note checkpoint path proof consistency policy request answer history key bundle frontier)

# A debug build: it keeps every check.
LEDGER_FUZZ=1 swift build --scratch-path .build/fuzz/build --sanitize fuzzer --product ledger-fuzz

for reader in "${readers[@]}"; do
    corpus=".build/fuzz/$reader"
    mkdir -p "$corpus"
    folders=("$corpus")
    [[ ! -d "Tests/Fuzz/seeds/$reader" ]] || folders+=("Tests/Fuzz/seeds/$reader")
    echo "fuzz.sh: $reader, $runs runs" >&2
    LEDGER_FUZZ_READER="$reader" .build/fuzz/build/debug/ledger-fuzz "${folders[@]}" \
        -runs="$runs" -max_len=8192 -timeout=10 -print_final_stats=1 -verbosity=0 -print_funcs=0 -artifact_prefix="$corpus/" </dev/null
done
