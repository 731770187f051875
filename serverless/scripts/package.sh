#!/usr/bin/env bash
# Builds what the functions run, in Amazon Linux 2023, and packs it.
#
#   package.sh [--architecture arm64|x86_64] [--native] [--output DIRECTORY] [--certificates FILE] [--emulator]
#   package.sh --hooks [--output DIRECTORY]        makes hooks.zip alone, beside a bootstrap.zip that is there already
#
# Makes bootstrap.zip (the Swift program, the libraries that Lambda does not have, the certificates of RDS and the roots
# of AWS) and hooks.zip (the traffic hooks). The certificates of RDS are AWS's bundle; without --certificates it is
# fetched where the program is built in a container. The roots of AWS are taken from this system (roots.py).
# Without --native it builds in Swift's container for Amazon Linux 2023, which needs docker; --native builds on this
# machine, for this machine's architecture: on Amazon Linux 2023 itself, with --certificates; or for the emulator, with
# --emulator, whose database shows no certificate.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

architecture=arm64
native=no
emulator=no
hooks_alone=no
output="$root/.build/lambda"
certificates=""
bundle=https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
image="${SWIFT_IMAGE:-swift:6.3-amazonlinux2023}"
# A package or a program of more than this starts slowly; Lambda's own limit is 250 MB unpacked.
limit_bytes=$((30 * 1024 * 1024))
# What is in Lambda's provided.al2023. Everything else that the program asks for is packed with it.
provided='^(linux-vdso|ld-linux.*|libc|libm|libdl|librt|libpthread|libresolv|libutil|libgcc_s|libcurl|libssl'
provided+='|libcrypto|libz)\.so'

while [[ $# -gt 0 ]]; do
    case "$1" in
    --architecture) need_value "$@" && architecture="$2" && shift 2 ;;
    --native) native=yes && shift ;;
    --emulator) emulator=yes && shift ;;
    --hooks) hooks_alone=yes && shift ;;
    --output) need_value "$@" && output="$2" && shift 2 ;;
    --certificates) need_value "$@" && certificates="$(readlink -f "$2")" && shift 2 ;;
    *) fail "'$1' is not known" \
        "usage: package.sh [--architecture arm64|x86_64] [--native] [--output DIRECTORY] [--certificates FILE]" \
        "       [--emulator]" \
        "or:    package.sh --hooks [--output DIRECTORY]" ;;
    esac
done
[[ "$architecture" =~ ^(arm64|x86_64)$ ]] || fail "'$architecture' is no architecture of Lambda: it is arm64 or x86_64"

# The functions trust the database by a file in the package: without it none reaches its database.
check_certificates() {
    [[ -n "$certificates" || "$emulator" == yes ]] || fail "the package would have no certificates of RDS" \
        "Fetch them: curl --output rds-ca.pem $bundle   and name them: --certificates rds-ca.pem" \
        "A package for the emulator needs none: --emulator"
    [[ -z "$certificates" ]] || grep -q "BEGIN CERTIFICATE" "$certificates" ||
        fail "there is no certificate in $certificates"
}

# Whether containers of another architecture run here, and how.
check_platform() {
    local platform="$1" wanted="$2" own
    [[ "$(docker run --rm --platform "$platform" "$image" uname -m 2>/dev/null)" == "$wanted" ]] ||
        fail "docker runs no container for $platform here" \
            "Build on a machine of that architecture (for arm64: Graviton, CodeBuild, an arm64 runner)," \
            "or deploy for this one: LAMBDA_ARCHITECTURE=x86_64 or arm64"
    own="$(docker info --format '{{.Architecture}}')"
    [[ "${own/arm64/aarch64}" == "$wanted" || -z "$own" ]] ||
        say "the container for $platform is emulated on $own: the compiler takes hours there, or fails. Build on a \
machine of that architecture, or deploy with LAMBDA_ARCHITECTURE=${own/aarch64/arm64}"
}

# Builds on the machine that this runs on and leaves bootstrap and lib/ in $1.
build_here() {
    local staging="$1" scratch="$2"
    local build=(swift build --package-path "$root" --scratch-path "$scratch" -c release) binary archive
    # Half of a start is the loader's: at a fixed address it has nothing to move, and what nobody looks up by name need
    # not be there. See docs/decisions/021-a-program-that-starts-fast.md.
    local link=(-Xswiftc -Xclang-linker -Xswiftc -no-pie
        -Xswiftc -Xclang-linker -Xswiftc "-Wl,--no-export-dynamic")
    archive="$(clang -print-file-name=libstdc++.a)"
    [[ "$archive" == /* ]] || fail "libstdc++.a is not on this machine, and the program is linked with it" \
        "Install it: dnf install libstdc++-static, or apt-get install libstdc++-12-dev"
    # A folder in which the linker finds the archive and not the library.
    mkdir -p "$scratch/archives"
    ln -sf "$archive" "$scratch/archives/libstdc++.a"
    "${build[@]}" --product bootstrap --static-swift-stdlib "${link[@]}" -Xswiftc "-L$scratch/archives" >&2
    binary="$("${build[@]}" --show-bin-path)/bootstrap"
    mkdir -p "$staging"
    strip -o "$staging/bootstrap" "$binary"
    chmod 755 "$staging/bootstrap"
    check_size "$staging/bootstrap"
    check_contents "$binary"
    [[ -z "$certificates" ]] || cp "$certificates" "$staging/rds-ca.pem"
    python3 "$serverless/scripts/roots.py" "$staging/aws-ca.pem"
    pack_libraries "$staging"
}

# The program is for Lambda: neither SQLite nor a server of HTTP may come to be in it. What is stripped has no names.
check_contents() {
    local binary="$1" found
    found="$(objdump -p "$binary" | awk '$1 == "NEEDED" && $2 ~ /^libsqlite/ { print $2; exit }')"
    [[ -z "$found" ]] || fail "the program needs $found, which is for the embedded ledger alone"
    # Swift writes a module's name behind its length.
    found="$(nm "$binary" | grep -m 1 -oE ' sqlite3_[a-z_]+|[0-9](NIO|Hummingbird)[A-Za-z]*' || true)"
    [[ -z "$found" ]] || fail "the program holds ${found# }, which is for the embedded ledger alone"
}

# What the program needs and Lambda does not have, and what that needs in turn. What only Lambda's own libraries need
# here is Lambda's business there: ldd tells of all of them, so it is asked for places alone.
pack_libraries() {
    local staging="$1" file name path
    local -A places=()
    while read -r name _ path _; do places[$name]="$path"; done < <(ldd "$staging/bootstrap" | grep '=>')
    local files=("$staging/bootstrap")
    while [[ ${#files[@]} -gt 0 ]]; do
        file="${files[0]}"
        files=("${files[@]:1}")
        while read -r name; do
            [[ ! "$name" =~ $provided && ! -e "$staging/lib/$name" ]] || continue
            path="${places[$name]:-}"
            [[ -f "$path" ]] || fail "the library $name, which the program asks for, is not on this machine"
            mkdir -p "$staging/lib"
            cp -L "$path" "$staging/lib/$name"
            files+=("$path")
        done < <(objdump -p "$file" | awk '$1 == "NEEDED" { print $2 }')
    done
}

build_in_container() {
    local staging="$1" platform="linux/arm64" machine=aarch64
    [[ "$architecture" == arm64 ]] || platform="linux/amd64" machine=x86_64
    command -v docker >/dev/null || fail "there is no docker command, and the program is built in Amazon Linux 2023" \
        "Install docker: https://docs.docker.com/engine/install/" \
        "or build on Amazon Linux 2023 itself with --native"
    docker info >/dev/null 2>&1 || fail "docker is installed, but its daemon does not answer" \
        "Start it: sudo systemctl start docker   (or open Docker Desktop)"
    check_platform "$platform" "$machine"
    if [[ -n "$certificates" ]]; then
        check_certificates
        cp "$certificates" "$staging/rds-ca.pem"
    else
        curl --silent --show-error --fail --max-time 60 --output "$staging/rds-ca.pem" "$bundle" ||
            fail "the certificates of RDS can't be fetched from $bundle" \
                "Fetch them by hand and name them: --certificates FILE"
    fi
    # A folder of its own for what was built for another system, and not root's when it ends.
    local scratch=".build/lambda-$architecture"
    mkdir -p "$root/$scratch"
    docker run --rm --platform "$platform" --volume "$root:/src" --volume "$staging:/out" --workdir /src "$image" \
        bash -c "dnf install -y -q libcurl-devel libpq-devel libstdc++-static sqlite-devel binutils \
                python3 ca-certificates >/dev/null &&
            SCRATCH=/src/$scratch serverless/scripts/package.sh --native --architecture $architecture \
                --output /out/package --certificates /out/rds-ca.pem
            status=\$?
            chown -R $(id -u):$(id -g) /out /src/$scratch
            exit \$status" >&2
    mv "$staging/package/"* "$staging/"
    rmdir "$staging/package"
}

# The same files always make the same package, so that what did not change is not deployed again.
pack() {
    python3 - "$1" "$2" <<'PYTHON'
import sys, zipfile
from pathlib import Path
source, target = Path(sys.argv[1]), sys.argv[2]
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(p for p in source.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        entry = zipfile.ZipInfo(str(path.relative_to(source)), (2020, 1, 1, 0, 0, 0))
        entry.external_attr = (0o755 if path.name == "bootstrap" or ".so" in path.name else 0o644) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, path.read_bytes())
PYTHON
}

check_size() {
    local file="$1" bytes
    bytes="$(stat -c %s "$file")"
    [[ "$bytes" -le "$limit_bytes" ]] || fail "$file has $bytes bytes, more than the $limit_bytes it may have"
    say "$file: $bytes bytes"
}

staging="$(mktemp -d)"
trap 'rm -rf "$staging"' EXIT
mkdir -p "$output"
if [[ "$hooks_alone" == yes ]]; then
    : # They are packed below.
elif [[ "$native" == yes ]]; then
    machine="$(uname -m)"
    [[ "${machine/aarch64/arm64}" == "$architecture" ]] ||
        fail "this machine is $machine and builds nothing for $architecture" \
            "Leave --native out, or name --architecture"
    check_certificates
    command -v swift >/dev/null || fail "there is no swift command" "Install it: https://www.swift.org/install/linux/"
    # A folder of its own: static libraries would make .build/release anew, and so would the next build without them.
    build_here "$staging/bootstrap" "${SCRATCH:-$root/.build/lambda-build}"
    pack "$staging/bootstrap" "$output/bootstrap.zip"
    check_size "$output/bootstrap.zip"
else
    build_in_container "$staging"
    cp "$staging/bootstrap.zip" "$output/bootstrap.zip"
    check_size "$output/bootstrap.zip"
fi
pack "$serverless/hooks" "$output/hooks.zip"
check_size "$output/hooks.zip"
