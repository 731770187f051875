#!/usr/bin/env bash
# Looks after the stacks of a stage.
#
#   infrastructure.sh validate STAGE [REGION]                  checks everything without AWS, for us-east-1 unless told
#   infrastructure.sh plan     STAGE REGION                    what a deployment would change
#   infrastructure.sh deploy   STAGE REGION                    deploys the infrastructure: network, database, buckets
#   infrastructure.sh info     STAGE REGION                    outputs of both stacks
#   infrastructure.sh verify   STAGE REGION                    whether what is deployed works
#   infrastructure.sh logs     STAGE REGION [--function NAME] [--since 10m] [--follow]
#   infrastructure.sh remove   STAGE REGION [--force]          removes both stacks; asks for the stage's name first
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

usage="usage: infrastructure.sh validate|plan|deploy|info|verify|logs|remove STAGE REGION"
# Nothing is asked of a region that is checked without AWS.
[[ $# -ne 2 || "$1" != validate ]] || set -- "$@" us-east-1
[[ $# -ge 3 ]] || fail "a command, a stage and a region are needed" "$usage"
command="$1"
take_stage_and_region "$2" "$3"
shift 3
application_stack="$service-$stage"
infrastructure_stack="$infrastructure-$stage"
parameters="/medical-appointment/$stage"

validate() {
    need_python
    "$python" "$serverless/scripts/validate.py" "$stage" "$region"
}

plan() {
    need_framework
    need_aws
    local infrastructure_status
    # Before anything is planned: a plan of what is not there makes an empty stack for as long as it takes.
    infrastructure_status="$(stack_status "$infrastructure_stack")"
    plan_one "$serverless/infrastructure" "$infrastructure_stack" "$infrastructure_status"
    if [[ "$infrastructure_status" == absent ]]; then
        say "the application is planned once the infrastructure is there"
    else
        need_packages
        plan_one "$serverless" "$application_stack" "$(stack_status "$application_stack")"
    fi
}

# Prints what a change set of one service says, and throws it away.
plan_one() {
    local directory="$1" stack="$2" before="$3" kind=UPDATE name=plan bucket template status=0
    (cd "$directory" && "$framework" package --stage "$stage" --region "$region" >&2)
    template="$directory/.serverless/cloudformation-template-update-stack.json"
    [[ "$before" != absent ]] || kind=CREATE
    local source=(--template-body "file://$template")
    if [[ "$(stat -c %s "$template")" -gt 51200 ]]; then
        bucket="$(stack_output "$infrastructure_stack" DeploymentBucketName)"
        aws s3 cp --quiet "$template" "s3://$bucket/plan/$stack.json"
        source=(--template-url "https://$bucket.s3.$region.amazonaws.com/plan/$stack.json")
    fi
    drop_planned "$stack"
    aws cloudformation create-change-set --stack-name "$stack" --change-set-name "$name" --change-set-type "$kind" \
        --capabilities CAPABILITY_NAMED_IAM "${source[@]}" >/dev/null && show_plan || status=$?
    # What was planned goes in any case: what is left would stand in a deployment's way.
    if [[ "$kind" == CREATE ]]; then
        drop_planned "$stack"
    else
        aws cloudformation delete-change-set --stack-name "$stack" --change-set-name "$name"
    fi
    return "$status"
}

show_plan() {
    # A change set that changes nothing fails, and says so below.
    aws cloudformation wait change-set-create-complete --stack-name "$stack" --change-set-name "$name" || true
    echo "$stack ($kind):"
    local changes='Changes[].ResourceChange.[Action, Replacement, ResourceType, LogicalResourceId]'
    aws cloudformation describe-change-set --stack-name "$stack" --change-set-name "$name" --output table \
        --query "{Status: Status, Reason: StatusReason, Changes: $changes}"
}

# Makes a secret that is not there yet. Its value is never shown, and on no command line.
ensure_secret() {
    local name="$1"
    ! aws ssm get-parameter --name "$name" >/dev/null 2>&1 || return 0
    local file
    file="$(mktemp)"
    # 32 random bytes; RDS allows no / " @ or space in a password.
    printf '{"Name": "%s", "Type": "SecureString", "Value": "%s", "Description": "Made by %s"}' \
        "$name" "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')" "$script" >"$file"
    aws ssm put-parameter --cli-input-json "file://$file" >/dev/null || { rm -f "$file" && fail "$name can't be made"; }
    rm -f "$file"
    say "made the secret $name"
}

deploy() {
    need_framework
    need_python
    need_aws
    "$python" "$serverless/scripts/validate.py" "$stage" "$region"
    local secret
    # The first is the administrator's and no function's; the others are those of the roles that migrations make.
    for secret in rds/password rds/mirror-password rds/pe-password rds/cl-password api-key-secret; do
        ensure_secret "$parameters/$secret"
    done
    drop_planned "$infrastructure_stack"
    (cd "$serverless/infrastructure" && "$framework" deploy --stage "$stage" --region "$region")
}

info() {
    need_aws
    local stack
    for stack in "$infrastructure_stack" "$application_stack"; do
        echo "$stack: $(stack_status "$stack")"
        aws cloudformation describe-stacks --stack-name "$stack" --output table \
            --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]' 2>/dev/null || true
    done
}

# Says what is well and what is not; ends with the number of what is not.
verify() {
    need_aws
    local wrong=0 stack name queue depth state
    declare -A outputs=()
    check() {
        if [[ "$2" == "$3" ]]; then echo "ok       $1"; else
            echo "WRONG    $1: it is '$2', not '$3'"
            wrong=$((wrong + 1))
        fi
    }
    for stack in "$infrastructure_stack" "$application_stack"; do
        state="$(stack_status "$stack")"
        check "stack $stack is at rest" "${state/UPDATE/CREATE}" CREATE_COMPLETE
    done
    [[ $wrong -eq 0 ]] || return "$wrong"
    while read -r name state; do outputs[$name]="$state"; done < <(aws cloudformation describe-stacks \
        --stack-name "$application_stack" --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]' --output text)
    for name in events-table appointments-table subjects-table projections-table; do
        check "table $name-$stage" "$(aws dynamodb describe-table --table-name "$name-$stage" \
            --query Table.TableStatus --output text)" ACTIVE
    done
    check "point-in-time recovery of the events" "$(aws dynamodb describe-continuous-backups \
        --table-name "events-table-$stage" --output text \
        --query ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus)" ENABLED
    for queue in PE CL Completion Error Stream Bus; do
        depth="$(aws sqs get-queue-attributes --queue-url "${outputs[Appointments${queue}DLQUrl]}" --output text \
            --attribute-names ApproximateNumberOfMessages --query Attributes.ApproximateNumberOfMessages)"
        check "no dead letters of ${queue,,}" "$depth" 0
    done
    for name in "${functions[@]}"; do
        check "function $name" "$(aws lambda get-function --function-name "$service-$stage-$name" \
            --query Configuration.State --output text)" Active
    done
    check "alarms" "$(aws cloudwatch describe-alarms --alarm-name-prefix "$application_stack-" --state-value ALARM \
        --query 'length(MetricAlarms)' --output text)" 0
    check "GET /health/ready" "$(curl --silent --output /dev/null --max-time 30 --write-out '%{http_code}' \
        "$(endpoint "${outputs[ApiId]}" "${outputs[ServiceEndpoint]}")/health/ready")" 200
    return "$wrong"
}

# The emulator has the API under its own address.
endpoint() {
    if [[ -n "${AWS_ENDPOINT_URL:-}" ]]; then
        echo "$AWS_ENDPOINT_URL/restapis/$1/$stage/_user_request_"
    else
        echo "$2"
    fi
}

logs() {
    local chosen=("${functions[@]}") since=10m follow=no
    local own="usage: infrastructure.sh logs STAGE REGION [--function NAME] [--since 10m] [--follow]"
    while [[ $# -gt 0 ]]; do
        case "$1" in
        --function) need_value "$@" && chosen=("$2") && shift 2 ;;
        --since) need_value "$@" && since="$2" && shift 2 ;;
        --follow) follow=yes && shift ;;
        *) fail "'$1' is not known" "$own" ;;
        esac
    done
    [[ " ${functions[*]} " == *" ${chosen[0]} "* ]] || fail "'${chosen[0]}' is no function: ${functions[*]}"
    [[ "$since" =~ ^([0-9]+)([mhd])$ ]] || fail "'$since' is no time: for example 10m, 2h or 1d"
    [[ "$follow" == no || ${#chosen[@]} -eq 1 ]] || fail "--follow follows one function: name it with --function"
    need_aws
    local -A seconds=([m]=60 [h]=3600 [d]=86400)
    local name start=$((($(date +%s) - BASH_REMATCH[1] * ${seconds[${BASH_REMATCH[2]}]}) * 1000))
    for name in "${chosen[@]}"; do
        echo "== $name"
        print_log "$name" "$start"
    done
    while [[ "$follow" == yes ]]; do
        start=$(($(date +%s) * 1000))
        sleep 5
        print_log "${chosen[0]}" "$start"
    done
}

print_log() {
    aws logs filter-log-events --log-group-name "/aws/lambda/$service-$stage-$1" --start-time "$2" --output text \
        --query 'events[].[message]'
}

# A bucket with versions is empty when all of them and all delete markers are gone.
empty_bucket() {
    local bucket="$1" file
    file="$(mktemp)"
    while true; do
        # The backticks are JMESPath's.
        # shellcheck disable=SC2016
        aws s3api list-object-versions --bucket "$bucket" --max-items 500 --output json \
            --query '{Objects: [Versions || `[]`, DeleteMarkers || `[]`][].{Key: Key, VersionId: VersionId}}' >"$file"
        grep -q '"Key"' "$file" || break
        aws s3api delete-objects --bucket "$bucket" --delete "file://$file" >/dev/null
    done
    rm -f "$file"
}

remove_stack() {
    local stack="$1"
    [[ "$(stack_status "$stack")" != absent ]] || { say "$stack is not there" && return 0; }
    say "removing $stack"
    aws cloudformation delete-stack --stack-name "$stack"
    while true; do
        case "$(stack_status "$stack")" in
        absent | DELETE_COMPLETE) return 0 ;;
        DELETE_IN_PROGRESS) sleep 5 ;;
        *) fail "$stack was not removed whole" \
            "Look why: aws cloudformation describe-stack-events --stack-name $stack" ;;
        esac
    done
}

remove() {
    case "${1:-}" in
    --force) ;;
    "")
        echo "This removes $application_stack and $infrastructure_stack in $region, with what is in them." >&2
        printf 'Type the name of the stage to go on: ' >&2
        local answer=""
        read -r answer || true
        [[ "$answer" == "$stage" ]] || fail "'$answer' is not '$stage': nothing was removed"
        ;;
    *) fail "'$1' is not known" "usage: infrastructure.sh remove STAGE REGION [--force]" ;;
    esac
    need_aws
    drop_planned "$application_stack"
    drop_planned "$infrastructure_stack"
    remove_stack "$application_stack"
    if [[ "$(stack_status "$infrastructure_stack")" != absent ]]; then
        empty_bucket "$(stack_output "$infrastructure_stack" DeploymentBucketName)"
        empty_bucket "$(stack_output "$infrastructure_stack" ServerlessDeploymentBucketName)"
        remove_stack "$infrastructure_stack"
    fi
    say "the secrets under $parameters, and buckets with checkpoints and logs, are still there"
}

case "$command" in
validate | plan | deploy | info | verify | logs | remove) "$command" "$@" ;;
*) fail "'$command' is not known" "$usage" ;;
esac
