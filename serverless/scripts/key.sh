#!/usr/bin/env bash
# Makes an API key that the ledger and the usage plan of a stage both know, and prints its secret, this once.
#
#   key.sh STAGE REGION --name NAME --role intake|operator|auditor|admin
#   key.sh STAGE REGION --rotate NAME              another secret of a holder who has one
#
# LEDGER names the program that makes it (.build/release/ledger unless set). Whoever runs this may write the table
# projections-table-STAGE, use the stage's key and make API keys of API Gateway; no function may.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

usage="usage: key.sh STAGE REGION --name NAME --role intake|operator|auditor|admin, or --rotate NAME"
[[ $# -ge 2 ]] || fail "a stage and a region are needed" "$usage"
take_stage_and_region "$1" "$2"
shift 2
name="" role="" rotated=""
while [[ $# -gt 0 ]]; do
    case "$1" in
    --name) need_value "$@" && name="$2" && shift 2 ;;
    --role) need_value "$@" && role="$2" && shift 2 ;;
    --rotate) need_value "$@" && rotated="$2" && shift 2 ;;
    *) fail "'$1' is not known" "$usage" ;;
    esac
done
if [[ -n "$rotated" ]]; then
    [[ -z "$name$role" ]] || fail "a holder who is rotated keeps name and role" "$usage"
    name="$rotated"
    make=(keys rotate --engine aws "$name")
else
    [[ -n "$name" && -n "$role" ]] || fail "a name and a role are needed" "$usage"
    make=(keys create --engine aws --name "$name" --role "$role")
fi
ledger="${LEDGER:-$root/.build/release/ledger}"
[[ -x "$ledger" ]] || fail "the program $ledger is not there" "Make it: make build, or name one: LEDGER=FILE"
need_aws
plan="$(stack_output "$service-$stage" FrontDeskPlanId)" ||
    fail "the application of $stage is not there (stack $service-$stage)" \
        "Deploy it first: $serverless/scripts/deploy.sh $stage $region"

# The ledger finds its tables and its key where the functions find theirs.
variables=(KMS_KEY_ID EVENTS_TABLE_NAME APPOINTMENTS_TABLE_NAME SUBJECTS_TABLE_NAME PROJECTIONS_TABLE_NAME)
read -r -a values < <(aws lambda get-function-configuration --function-name "$service-$stage-appointment" \
    --output text --query "Environment.Variables.[$(IFS=, && echo "${variables[*]}")]")
for index in "${!variables[@]}"; do export "${variables[$index]}=${values[$index]}"; done
made="$("$ledger" "${make[@]}" --format json)"
[[ "$made" =~ (ldg_[A-Za-z0-9_-]+) ]] || fail "the ledger made no key"
secret="${BASH_REMATCH[1]}"

# On no command line: others on this machine could read it there.
file="$(mktemp)"
trap 'rm -f "$file"' EXIT
printf '{"name": "%s-%s", "enabled": true, "value": "%s"}' "$service-$stage" "$name" "$secret" >"$file"
plan_key() {
    local id
    id="$(aws apigateway create-api-key --cli-input-json "file://$file" --query id --output text)" &&
        aws apigateway create-usage-plan-key --usage-plan-id "$plan" --key-type API_KEY --key-id "$id" >/dev/null
}
plan_key || fail "the usage plan does not know the key, so it is of no use" \
    "Take it back: ledger keys revoke --engine aws, and make another"
echo "$secret"
