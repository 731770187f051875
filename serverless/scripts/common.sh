# Sourced by the scripts beside it: what they all check, and how they complain.
# shellcheck shell=bash
# Its variables are for those that source it.
# shellcheck disable=SC2034

script="$(basename "$0")"
serverless="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
root="$(cd "$serverless/.." && pwd)"
service=medical-appointment-scheduling
infrastructure=medical-appointment-infrastructure
functions=(appointment appointment-pe appointment-cl appointment-mirror)

say() { printf '%s: %s\n' "$script" "$1" >&2; }

fail() {
    say "$1"
    shift
    [[ $# -eq 0 ]] || printf '  %s\n' "$@" >&2
    exit 1
}

# What they are written in. A Mac has bash 3 and another stat.
[[ "${BASH_VERSINFO[0]}" -ge 4 ]] || fail "this is bash $BASH_VERSION, and bash 4 or later is needed" \
    "On a Mac: brew install bash"
stat -c %s / >/dev/null 2>&1 || fail "stat is not GNU's, which is needed" \
    "On a Mac: brew install coreutils, and put its gnubin first in PATH"

# Takes STAGE and REGION into $stage and $region.
take_stage_and_region() {
    stage="${1:-}" region="${2:-}"
    [[ "$stage" =~ ^(dev|staging|prod)$ ]] || fail "'$stage' is no stage: it is dev, staging or prod"
    [[ "$region" =~ ^[a-z]{2}(-[a-z]+)+-[0-9]$ ]] || fail "'$region' is no region: for example us-east-1"
    export AWS_REGION="$region" AWS_DEFAULT_REGION="$region" AWS_PAGER=""
}

# Ends unless an option has the value that belongs to it: need_value "$@".
need_value() {
    [[ $# -ge 2 && -n "$2" ]] || fail "$1 needs a value"
}

# Version 1 of the AWS CLI forgets AWS_ENDPOINT_URL where it has its own mind about a product's address.
aws() {
    command aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"
}

need_aws() {
    type -P aws >/dev/null || fail "there is no aws command" \
        "Install the AWS CLI: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
    aws sts get-caller-identity >/dev/null 2>&1 || fail \
        "AWS does not accept the credentials, or there are none" \
        "Set AWS_PROFILE, or log in: aws sso login --profile NAME" \
        "Look who you are: aws sts get-caller-identity"
}

# The framework: osls, which is version 3 maintained under the MIT licence; serverless@3 does as well. npm install gives
# osls the name serverless: the plugin asks for a package of that name, and npm would fetch the licensed version 4.
need_framework() {
    PATH="$serverless/node_modules/.bin:$PATH"
    framework=""
    local name
    for name in serverless osls; do
        [[ -z "$framework" && "$("$name" --version 2>/dev/null)" =~ (^|[^0-9.])3\.[0-9]+\.[0-9]+ ]] || continue
        framework="$name"
    done
    if [[ -z "$framework" ]]; then
        fail "there is neither osls nor serverless 3" \
            "Install what package.json names: (cd $serverless && npm install)" \
            "or by hand: npm install --global osls@3   (serverless@3 does as well; version 4 needs a licence)"
    fi
    [[ -d "$serverless/node_modules/serverless-plugin-canary-deployments" ]] || fail \
        "the plugin serverless-plugin-canary-deployments is not installed" \
        "Install what package.json names: (cd $serverless && npm install)"
}

# The Python with the checkers in it, which scripts/install.sh makes.
need_python() {
    python="${VALIDATION_PYTHON:-$root/.build/python/bin/python}"
    [[ -x "$python" ]] || fail "the checkers are not installed" "Install them: $root/scripts/install.sh test"
}

# The status of a stack, or absent. What a plan leaves of a stack that there never was is no stack.
stack_status() {
    local status
    status="$(raw_status "$1")"
    echo "${status/#REVIEW_IN_PROGRESS/absent}"
}

raw_status() {
    aws cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus' --output text 2>/dev/null ||
        echo absent
}

# A change set that would make a stack leaves an empty one behind, which the framework takes for one to update.
drop_planned() {
    [[ "$(raw_status "$1")" == REVIEW_IN_PROGRESS ]] || return 0
    aws cloudformation delete-stack --stack-name "$1"
    aws cloudformation wait stack-delete-complete --stack-name "$1"
}

# The packages that the functions run. A name is told to the framework whole: it runs in another folder.
for package in BOOTSTRAP_PACKAGE HOOKS_PACKAGE; do
    [[ -z "${!package:-}" ]] || export "$package=$(readlink -m "${!package}")"
done
bootstrap_package="${BOOTSTRAP_PACKAGE:-$root/.build/lambda/bootstrap.zip}"
hooks_package="${HOOKS_PACKAGE:-$root/.build/lambda/hooks.zip}"

need_packages() {
    local file
    for file in "$bootstrap_package" "$hooks_package"; do
        [[ -f "$file" ]] || fail "the package $file is not there" \
            "Make it: $serverless/scripts/package.sh" \
            "or name one that is there: BOOTSTRAP_PACKAGE, HOOKS_PACKAGE"
    done
    # One that was made for the emulator has no certificates, and its functions would find no database.
    for file in rds-ca.pem aws-ca.pem; do
        python3 -c 'import sys, zipfile; sys.exit(sys.argv[2] not in zipfile.ZipFile(sys.argv[1]).namelist())' \
            "$bootstrap_package" "$file" 2>/dev/null ||
            fail "the package $bootstrap_package does not hold $file" \
                "Make it again, without --emulator: $serverless/scripts/package.sh"
    done
}

stack_output() {
    aws cloudformation describe-stacks --stack-name "$1" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue | [0]"
}
