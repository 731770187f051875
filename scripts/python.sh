#!/usr/bin/env bash
# Prints the Python that has what checks the deployment, and the emulator of AWS that both kinds of tests run against.
#
#   scripts/python.sh
#
# Its packages are those of serverless/requirements.txt, in the environment .build/python, which is brought up to the
# list when that changes, and made anew where it can't be.
set -euo pipefail
cd "$(dirname "$0")/.."

list=serverless/requirements.txt
folder=.build/python
if ! cmp -s "$list" "$folder/requirements.txt"; then
    echo "python.sh: installing what $list names into $folder" >&2
    if ! { [[ -x "$folder/bin/pip" ]] && "$folder/bin/pip" install --quiet --requirement "$list" >&2; }; then
        rm -rf "$folder"
        python3 -m venv "$folder" >&2
        "$folder/bin/pip" install --quiet --requirement "$list" >&2
    fi
    # Last, so that an installation that was broken off is begun again.
    cp "$list" "$folder/requirements.txt"
fi
echo "$PWD/$folder/bin/python"
