#!/usr/bin/env bash
# Checks the layout of all Swift files against .swift-format and the syntax of all scripts.
set -euo pipefail
cd "$(dirname "$0")/.."

swift format lint --strict --parallel -r Package.swift Sources Tests migrations
scripts=(scripts/*.sh serverless/scripts/*.sh .ci/run)
for script in "${scripts[@]}"; do
    bash -n "$script"
done
if command -v shellcheck >/dev/null; then
    shellcheck --external-sources --source-path=SCRIPTDIR "${scripts[@]}"
fi
echo "lint: nothing to complain about"
