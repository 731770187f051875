#!/usr/bin/env bash
# Checks that the run group of scripts/install.sh is enough to build and run `ledger` on a bare Debian. What is needed is
# read off a build, not off a list: the headers that it read, what the linker took, and what the program, the compiler
# and the linker load. Each file belongs to a package; that package has to be in the group, or be one that the group
# depends on, or be there on every Debian.
#
#   scripts/run-group.sh [release|debug] [INSTALL.SH...]
#
# Prints what each script's group lacks and which file needs it, and ends with 1; with 0 when nothing is missing.
set -euo pipefail
cd -P "$(dirname "$0")/.."

build=".build/${1:-release}"
scripts=("${@:2}")
[[ ${#scripts[@]} -gt 0 ]] || scripts=(scripts/install.sh)
program="$build/ledger"

command -v dpkg-query >/dev/null || {
    echo "run-group.sh: no dpkg here, so nothing tells which package a file belongs to" >&2
    exit 1
}
[[ -x "$program" ]] || {
    echo "run-group.sh: there is no $program: build it first" >&2
    exit 1
}
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
toolchain="$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")"

# The files that the compiler wrote beside each object of the program: what the object was made from.
sources() {
    tr -d "'" <"$build/ledger.product/Objects.LinkFileList" | sed 's#[^/]*$##' | sort -u |
        while read -r folder; do find "$folder" -name '*.d' -exec cat {} +; done |
        # A blank in a path has a backslash before it. Paths of other files have neither.
        grep -oE '/([^ \\]|\\ )+' | grep -v ':$' | sort -u
}

# The module maps that Swift read beside its own.
maps() {
    grep -F module.modulemap "$scratch/sources" | grep -v "^$toolchain/"
}

# The headers behind those maps. A map names one in quotes, from its own folder on.
imported_headers() {
    local map header folders=()
    mapfile -t folders < <(maps | sed 's#/[^/]*$##; s#^#-I#')
    maps | while read -r map; do
        sed -n 's/.*header *"\([^"]*\)".*/\1/p' "$map" | while read -r header; do
            [[ "$header" == /* ]] || header="$(dirname "$map")/$header"
            "${compiler[@]}" -M -I "$(dirname "$header")" "${folders[@]}" "$header" | grep -oE '(^| )/[^ \]+' | tr -d ' '
        done
    done
}

# What the linker looks for: the libraries that the maps and the program name, and the objects at a program's start.
linked_files() {
    local name
    {
        maps | xargs -r -d '\n' sed -n 's/.*link *"\([^"]*\)".*/lib\1.so/p'
        readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\(lib[^]]*\.so\).*/\1/p'
        printf '%s\n' crt1.o crti.o crtbeginS.o libgcc.a
    } | sort -u | while read -r name; do
        name="$("${compiler[@]}" -print-file-name="$name")"
        # One of the toolchain's own, which only Swift finds, is given back as it is.
        [[ "$name" != /* ]] || echo "$name"
    done
}

# Libraries that are loaded by the program, and by what builds it.
loaded_files() {
    ldd "$program" "$toolchain"/bin/{swift-build,swift-driver,swift-frontend,clang} "$linker" >"$scratch/loaded"
    ! grep 'not found' "$scratch/loaded" >&2 || return 1
    grep -oE '/[^ ]+\.so[^ ]*' "$scratch/loaded"
}

# What people type, what SwiftPM fetches packages by, and the certificates that it trusts.
tools() {
    command -v make git curl
    echo "$linker"
    echo /usr/share/ca-certificates
}

# A group, all that it depends on, and all that every Debian has: one name a line.
provided() {
    sed -n '/^declare -A packages/,/^)/p' "$1" >"$scratch/group.sh"
    # shellcheck disable=SC1091,SC2154 # The table is cut out of the script.
    (source "$scratch/group.sh" && tr -s ' ' '\n' <<<"${packages[run]}") >"$scratch/group"
    awk -F '\t' -v group="$scratch/group" '
        # Of "a (>= 1) | b" apt takes a.
        function names(text, into,    parts, i, count) {
            count = split(text, parts, ",")
            for (i = 1; i <= count; i++) {
                gsub(/ *[|].*|[(][^)]*[)]|:[a-z0-9]+| /, "", parts[i])
                if (parts[i] != "") into[parts[i]] = 1
            }
        }
        function add(name,    wanted, other) {
            if (name in found) return
            found[name] = 1
            names(needs[name], wanted)
            for (other in wanted) add(other in given && !(other in needs) ? given[other] : other)
        }
        {
            needs[$1] = $4
            split("", provides)
            names($5, provides)
            for (other in provides) given[other] = $1
            if ($2 == "yes" || $3 == "required") base[$1] = 1
        }
        END {
            while ((getline name < group) > 0) if (name != "") add(name)
            for (name in base) add(name)
            for (name in found) print name
        }' "$scratch/installed"
}

# Lines "FILE<tab>PACKAGE", the packages with blanks between them; the package is "?" when no package has the file.
owned_files() {
    # A path through a link, such as libpq.so, belongs to one package and what is behind it to another: both count. A
    # library may be known by its place from before /lib became a link to /usr/lib.
    while read -r file; do
        printf '%s\t%s\n' "$file" "$file" "$file" "${file#/usr}"
        real="$(realpath "$file")"
        printf '%s\t%s\n' "$file" "$real" "$file" "${real#/usr}"
    done <"$scratch/files" | sort -u >"$scratch/places"
    cut -f 2 "$scratch/places" | sort -u | xargs -d '\n' dpkg-query -S 2>/dev/null | grep -v '^diversion' |
        sed -E 's/^(.*): (\/.*)$/\2\t\1/; s/:[a-z0-9]+//g; s/,//g' >"$scratch/owners" || true
    awk -F '\t' '
        NR == FNR { owner[$1] = $2; next }
        !($1 in owners) { owners[$1] = "" }
        $2 in owner { owners[$1] = owners[$1] " " owner[$2] }
        END { for (file in owners) print file "\t" (owners[file] == "" ? "?" : owners[file]) }
    ' "$scratch/owners" "$scratch/places"
}

compiler=("$toolchain/bin/clang" -x c)
linker="$("$toolchain/bin/clang" -'###' "$("${compiler[@]}" -print-file-name=crt1.o)" 2>&1 |
    tail -n 1 | sed 's/^ *"\([^"]*\)".*/\1/')"
sources >"$scratch/sources"
imported_headers >"$scratch/headers"
linked_files >"$scratch/linked"
loaded_files >"$scratch/libraries"
tools >"$scratch/tools"
cat "$scratch"/{sources,headers,linked,libraries,tools} >"$scratch/all"
grep -vE "^($toolchain|$PWD)/" "$scratch/all" | sort -u >"$scratch/files"
owned_files >"$scratch/owned"
dpkg-query -W -f '${Package}\t${Essential}\t${Priority}\t${Pre-Depends}, ${Depends}\t${Provides}\n' \
    >"$scratch/installed"

status=0
for script in "${scripts[@]}"; do
    provided "$script" >"$scratch/provided"
    awk -F '\t' -v script="$script" '
        NR == FNR { provided[$1] = 1; next }
        {
            count = split($2, names, " ")
            for (i = 1; i <= count; i++) if (!(names[i] in provided) && !(names[i] in missing)) missing[names[i]] = $1
        }
        END {
            for (name in missing) {
                bad = 1
                if (name == "?") print script ": no package has " missing[name]
                else print script ": the run group lacks " name ", which has " missing[name]
            }
            exit bad
        }' "$scratch/provided" "$scratch/owned" || status=1
done
[[ $status -ne 0 ]] || echo "run-group.sh: $(wc -l <"$scratch/files") files that $program needs are in the run group" >&2
exit "$status"
