#!/usr/bin/env bash
# Runs one liftlock command for the action, shows its report on GitHub, and leaves with the command's own number.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=say.sh
. "${BASH_SOURCE[0]%/*}/say.sh"

command=${INPUT_COMMAND:-validate}
environment=${INPUT_ENVIRONMENT:-}
fail_on=${INPUT_FAIL_ON:-error}

work=
report=
status=0
arguments=()

main() {
  one_of command "$command" validate plan promote sync report
  one_of fail-on "$fail_on" error warning never
  one_of emergency "${INPUT_EMERGENCY:=false}" true false
  one_of annotations "${INPUT_ANNOTATIONS:=true}" true false
  one_of summary "${INPUT_SUMMARY:=true}" true false
  one_of comment "${INPUT_COMMENT:=auto}" true false auto
  fitting_inputs
  # Read by the gates, which ask GitHub about this commit.
  if [ -n "${INPUT_COMMIT:-}" ]; then export LIFTLOCK_COMMIT=$INPUT_COMMIT; fi
  work=$(mktemp -d "${RUNNER_TEMP:?is set by the runner}/liftlock-XXXXXX")
  report=$work/report.json
  cd "${INPUT_WORKING_DIRECTORY:-.}" || refuse "there is no 'working-directory' '$INPUT_WORKING_DIRECTORY'"

  if [ "$command" = report ]; then
    report=$INPUT_REPORT
    if [ ! -f "$report" ]; then refuse "the input 'report' is '$report', and no file is there"; fi
    show || status=$?
  else
    words
    run
    # After 2 and 3 nothing was done, and the database may not be there to be asked.
    case $command-$status in
      promote-2 | promote-3) ;;
      promote-*) audited ;;
      *) ;;
    esac
    show || true
  fi
  exit "$status"
}

# An input that its command does not read is a mistake, not something to pass over: `paths` would promise to a
# promotion what it does not keep.
fitting_inputs() {
  only "validate" paths "${INPUT_PATHS:-}"
  only "validate report" fail-on "${fail_on#error}"
  only "validate plan promote" environment "$environment"
  only "validate plan promote" type "${INPUT_TYPE:-}"
  only "plan promote" commit "${INPUT_COMMIT:-}"
  only "plan promote" emergency "${INPUT_EMERGENCY#false}"
  only "plan promote" incident "${INPUT_INCIDENT:-}"
  only "plan promote" reason "${INPUT_REASON:-}"
  only "sync" tables "${INPUT_TABLES:-}"
  only "report" report "${INPUT_REPORT:-}"
  case $command in
    plan | promote)
      if [ -z "$environment" ]; then refuse "'$command' needs the input 'environment', one of liftlock.yml's"; fi
      ;;
    *) ;;
  esac
}

only() {
  local commands=$1 name=$2 value=$3
  case " $commands " in
    *" $command "*) ;;
    *) if [ -n "$value" ]; then refuse "'$command' does not read the input '$name': leave it out (it is for: $commands)"; fi ;;
  esac
}

# The command line. A value stands in one word with its option, so it cannot become an option itself.
words() {
  if [ -n "${INPUT_CONFIG:-}" ]; then arguments+=("--config=$INPUT_CONFIG"); fi
  arguments+=(--no-color "$command" "--save=$report")
  if [ -n "$environment" ]; then arguments+=("--to=$environment"); fi
  if [ -n "${INPUT_TYPE:-}" ]; then arguments+=("--type=$INPUT_TYPE"); fi
  if [ "$INPUT_EMERGENCY" = true ]; then arguments+=(--emergency); fi
  if [ -n "${INPUT_INCIDENT:-}" ]; then arguments+=("--incident=$INPUT_INCIDENT"); fi
  if [ -n "${INPUT_REASON:-}" ]; then arguments+=("--reason=$INPUT_REASON"); fi
  local line
  while IFS= read -r line; do
    if [ -n "$line" ]; then arguments+=("--table=$line"); fi
  done <<<"${INPUT_TABLES:-}"
  case $command in
    promote) arguments+=(--yes) ;;
    validate)
      arguments+=("--fail-on=$fail_on" --)
      while IFS= read -r line; do
        if [ -n "$line" ]; then arguments+=("$line"); fi
      done <<<"${INPUT_PATHS:-}"
      ;;
    *) ;;
  esac
}

# Runs liftlock with everything it prints in one stream, muffled: excerpts of migrations are other people's text.
# A cancelled job's signal is handed on, so that a promotion can stop between two steps.
run() {
  muffle
  trap unmuffle EXIT
  local child=
  # Set first: a signal that came between start and trap would end this script and leave liftlock behind.
  trap 'kill -TERM "${child:-$!}" 2>/dev/null || true' INT TERM
  "${unhook[@]}" "${LIFTLOCK_BINARY:?is set by the step before}" "${arguments[@]}" 2>&1 &
  child=$!
  while :; do
    status=0
    wait "$child" || status=$?
    kill -0 "$child" 2>/dev/null || break
  done
  trap - INT TERM
  unmuffle
}

# What the database has recorded, for the artifact; the promotion's own answer does not depend on it.
audited() {
  local -a words=(--format=json)
  if [ -n "${INPUT_CONFIG:-}" ]; then words+=("--config=$INPUT_CONFIG"); fi
  if "${unhook[@]}" "$LIFTLOCK_BINARY" "${words[@]}" audit list "--env=$environment" >"$work/audit.json" 2>"$work/said"; then
    output audit-json "$work/audit.json"
  else
    muffle
    echo 'the audit events cannot be listed now:'
    cat "$work/said"
    unmuffle
  fi
}

# Shows the report on GitHub. What cannot be shown is said, and changes nothing about the answer. The summary goes into
# a file of its own first, which outlives the step.
show() {
  if [ ! -s "$report" ]; then
    output conclusion error
    printf '::error title=liftlock::liftlock ended with %s and left no report; the log above says why\n' "$status"
    return
  fi
  local shown=0
  local -a words=("$report" --outputs "--sarif=$work/liftlock.sarif" "--fail-on=$fail_on")
  if [ "$INPUT_ANNOTATIONS" = true ]; then words+=(--annotations); fi
  if [ "$INPUT_SUMMARY" = true ]; then words+=(--summary); fi
  case $INPUT_COMMENT-${GITHUB_EVENT_NAME:-} in
    true-* | auto-pull_request) words+=(--comment) ;;
    *) ;;
  esac
  GITHUB_STEP_SUMMARY=$work/summary.md "${unhook[@]}" "${LIFTLOCK_BINARY:?is set by the step before}" report \
    "${words[@]}" >"$work/commands" 2>"$work/said" || shown=$?
  # A file that is no report says nothing itself.
  if [ "$command" = report ] && ! grep -q '^conclusion<<' "${GITHUB_OUTPUT:?is set by the runner}" 2>/dev/null; then
    output conclusion error
    printf '::error title=liftlock::the report cannot be shown; the log below says why\n'
  fi
  # Annotations are escaped by liftlock; all else it says stays muffled.
  grep -E '^::(error|warning|notice)( |::)' "$work/commands" || true
  grep -vE '^::(error|warning|notice)( |::)' "$work/commands" >>"$work/said" || true
  if [ -s "$work/said" ]; then
    muffle
    cat "$work/said"
    unmuffle
  fi
  if [ -s "$work/summary.md" ]; then cat "$work/summary.md" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"; fi
  return "$shown"
}

main
