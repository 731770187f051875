#!/usr/bin/env bash
# Deploys the application to a stage.
#
#   deploy.sh STAGE REGION [--function NAME] [--verbose] [--dry-run]
#
#   --function NAME   changes the code of one function at once, without CloudFormation and without a canary (dev alone)
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
fi

cd "$serverless"
if [[ "$dry_run" == yes ]]; then
    "$framework" package --stage "$stage" --region "$region" "${options[@]}"
    say "nothing was deployed; the templates are in $serverless/.serverless"
elif [[ -n "$function" ]]; then
    "$framework" deploy function --function "$function" --stage "$stage" --region "$region" "${options[@]}"
else
    "$framework" deploy --stage "$stage" --region "$region" "${options[@]}"
    "$serverless/scripts/infrastructure.sh" verify "$stage" "$region"
fi
