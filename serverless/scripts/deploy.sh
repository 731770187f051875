#!/usr/bin/env bash
# Deploys the application to a stage.
#
#   deploy.sh STAGE REGION [--function NAME] [--verbose] [--dry-run]
#
#   --function NAME   gives one function new code at once: a new version that the alias Live points at, without
#                     CloudFormation, a canary or a change of anything but code (dev alone)
#   --verbose         says more
#   --dry-run         builds, checks and packages, and stops before anything changes in AWS
#
# The infrastructure is deployed first, once: infrastructure.sh deploy STAGE REGION.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

usage="usage: deploy.sh STAGE REGION [--function NAME] [--verbose] [--dry-run]"
[[ $# -ge 2 ]] || fail "a stage and a region are needed" "$usage"
take_stage_and_region "$1" "$2"
shift 2
function="" dry_run=no options=()
while [[ $# -gt 0 ]]; do
    case "$1" in
    --function) need_value "$@" && function="$2" && shift 2 ;;
    --verbose) options+=(--verbose) && shift ;;
    --dry-run) dry_run=yes && shift ;;
    *) fail "'$1' is not known" "$usage" ;;
    esac
done
if [[ -n "$function" ]]; then
    [[ " ${functions[*]} " == *" $function "* ]] || fail "'$function' is no function: ${functions[*]}"
    [[ "$stage" == dev ]] || fail "--function goes past the canary and its alarms, so it is for dev alone"
fi

need_framework
need_python
need_aws
[[ "$(stack_status "$infrastructure-$stage")" =~ ^(CREATE|UPDATE)_COMPLETE$ ]] ||
    fail "the infrastructure of $stage is not there (stack $infrastructure-$stage)" \
        "Deploy it first: $serverless/scripts/infrastructure.sh deploy $stage $region"

"$python" "$serverless/scripts/validate.py" "$stage" "$region"
if [[ -z "${BOOTSTRAP_PACKAGE:-}" ]]; then
    "$serverless/scripts/package.sh" --architecture "${LAMBDA_ARCHITECTURE:-arm64}"
elif [[ -z "${HOOKS_PACKAGE:-}" ]]; then
    "$serverless/scripts/package.sh" --hooks
fi

# Every trigger calls the alias: new code that no version is made of would never run.
deploy_function() {
    local name="$service-$stage-$function" version
    version="$(aws lambda update-function-code --function-name "$name" --zip-file "fileb://$bootstrap_package" \
        --publish --query Version --output text)"
    aws lambda wait published-version-active --function-name "$name" --qualifier "$version"
    aws lambda update-alias --function-name "$name" --name Live --function-version "$version" \
        --routing-config AdditionalVersionWeights={} >/dev/null
    say "$name: Live is version $version"
}

# CodeDeploy moves an alias from the version that the stack gave it, and refuses one that stands elsewhere.
put_alias_back() {
    local name="$service-$stage-$1" output="${1//-/Dash}LambdaFunctionQualifiedArn" made version
    made="$(stack_output "$service-$stage" "${output^}")"
    # A function that the stack has not made yet has no alias to put back.
    [[ "$made" == arn:* ]] || return 0
    version="$(aws lambda get-alias --function-name "$name" --name Live --query FunctionVersion --output text \
        2>/dev/null)" || return 0
    [[ "${made##*:}" != "$version" ]] || return 0
    aws lambda update-alias --function-name "$name" --name Live --function-version "${made##*:}" >/dev/null
    # The stack makes a version of the same package next, and of one package there is only one.
    aws lambda delete-function --function-name "$name" --qualifier "$version"
}

need_packages
cd "$serverless"
if [[ "$dry_run" == yes ]]; then
    "$framework" package --stage "$stage" --region "$region" "${options[@]}"
    say "nothing was deployed; the templates are in $serverless/.serverless"
elif [[ -n "$function" ]]; then
    deploy_function
else
    drop_planned "$service-$stage"
    if [[ "$stage" == dev && "$(stack_status "$service-$stage")" != absent ]]; then
        for name in "${functions[@]}"; do put_alias_back "$name"; done
    fi
    "$framework" deploy --stage "$stage" --region "$region" "${options[@]}"
    "$serverless/scripts/infrastructure.sh" verify "$stage" "$region"
fi
