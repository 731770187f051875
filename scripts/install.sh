#!/usr/bin/env bash
# Installs what a group of commands needs from Debian's packages, and checks the Swift toolchain.
#
#   scripts/install.sh GROUP...      groups: run, test
#
# Works as root and as a user with sudo. A machine that has everything already is left alone: no apt, no network.
set -euo pipefail
cd "$(dirname "$0")/.."

# One word is one Debian package; a new group is one line here.
declare -A packages=(
    # What swift build needs on Debian 12, the libraries that ledger is linked with, and curl for the README's request.
    # scripts/run-group.sh says whether that is enough.
    [run]="binutils ca-certificates curl git libc6-dev libcurl4 libcurl4-openssl-dev libgcc-12-dev libncurses6 libpq-dev
           libsqlite3-dev libstdc++-12-dev libxml2 make"
    # The time zones that the domain's own are compared with; what the tests tamper with a database by, and fill disks;
    # the server that they start a cluster of, and what makes its certificates. Python environments for the emulator of
    # AWS and for what checks the deployment; a checker of scripts; and Go with the package that its checksum database is
    # audited with, which judges our log.
    [test]="golang-go golang-golang-x-mod-dev tzdata python3 python3-venv mount openssl postgresql-15 shellcheck util-linux"
)
# What each group is for, to be said before anything is installed.
declare -A purposes=(
    [run]="to build ledger and to run it"
    [test]="for the tests: a PostgreSQL server, Python for an emulator of AWS, a checker of scripts, Go to judge the transparency log"
)
minimum_swift=6.2

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# Says what is missing and why, before any of it is installed. Arguments: the groups.
announce() {
    local group
    echo "install.sh: these Debian packages are missing: ${missing[*]}" >&2
    for group in "$@"; do echo "install.sh: the group '$group' is needed ${purposes[$group]}" >&2; done
    echo "install.sh: apt-get installs them now, with what they depend on" >&2
}

wanted() {
    local group
    for group in "$@"; do
        [[ -n "${packages[$group]:-}" ]] || fail "install.sh: no group '$group'; there are: ${!packages[*]}"
        # Word splitting is wanted: the line above holds several names.
        # shellcheck disable=SC2086
        printf '%s\n' ${packages[$group]}
    done | sort -u
}

is_installed() {
    [[ "$(dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | head -n 1)" == installed ]]
}

as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "install.sh: these packages are missing: ${missing[*]}" \
            "Neither root nor sudo is here to install them. As root: apt-get install ${missing[*]}"
    fi
}

install_packages() {
    local name
    missing=()
    while read -r name; do
        is_installed "$name" || missing+=("$name")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    announce "$@"
    # A list of somebody else's that does not answer is no reason to stop: the install below tells what is missing.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null >&2 ||
        echo "install.sh: apt-get update had trouble; going on" >&2
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >&2
}

check_swift() {
    local help="Install the toolchain for Debian 12 from https://www.swift.org/install/linux/ and put its usr/bin
into PATH, for example: export PATH=/opt/swift/usr/bin:\$PATH"
    command -v swift >/dev/null || fail "install.sh: there is no swift command." "$help"
    local found
    found="$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)"
    [[ -n "$found" ]] || fail "install.sh: 'swift --version' does not say its version." "$help"
    if [[ "$(printf '%s\n%s\n' "$minimum_swift" "$found" | sort -V | head -n 1)" != "$minimum_swift" ]]; then
        fail "install.sh: this is Swift $found; $minimum_swift or later is needed." "$help"
    fi
}

[[ $# -gt 0 ]] || fail "usage: scripts/install.sh GROUP...   (groups: ${!packages[*]})"
list="$(wanted "$@")"
if command -v dpkg-query >/dev/null; then
    install_packages "$@" <<<"$list"
else
    echo "install.sh: no dpkg here; this needs what Debian calls: $(tr '\n' ' ' <<<"$list")" >&2
fi
[[ " $* " != *" test "* ]] || scripts/python.sh >/dev/null
check_swift
[[ -d .build/checkouts ]] ||
    echo "install.sh: the first build fetches the Swift packages that Package.swift names, into .build" >&2
