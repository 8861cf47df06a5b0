# What both scripts of the action use: how they speak to the runner, and what they keep from their children.
# shellcheck shell=bash

# Text as the property or message of a workflow command, in which it can begin no command of its own.
escaped() {
  local text=$1
  text=${text//'%'/%25}
  text=${text//$'\r'/%0D}
  text=${text//$'\n'/%0A}
  printf '%s' "${text//'##['/'## ['}"
}

# Ends the step because it was asked for something that cannot be: what is wrong, and what to write instead.
refuse() {
  printf '::error title=liftlock::%s\n' "$(escaped "$1")"
  output conclusion error
  exit 2
}

# Sets an output of the step. The delimiter is random, so no value can end it and set others.
output() {
  local delimiter
  delimiter=$(token)
  printf '%s<<%s\n%s\n%s\n' "$1" "$delimiter" "$2" "$delimiter" >>"${GITHUB_OUTPUT:?is set by the runner}"
}

# 128 random bits.
token() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# Between these two the runner takes nothing that is printed for a command, wherever in a line it stands.
muffle() {
  resume=$(token)
  printf '::stop-commands::%s\n' "$resume"
}
unmuffle() {
  # The line feed: what was printed may not have ended its last line.
  if [ -n "${resume:-}" ]; then printf '\n::%s::\n' "$resume"; fi
  resume=
}

# Refuses a value of an input that is not one of those after it.
one_of() {
  local name=$1 value=$2 allowed
  shift 2
  for allowed in "$@"; do
    if [ "$value" = "$allowed" ]; then return; fi
  done
  refuse "the input '$name' is '$value': say one of $*"
}

# Stands before a program that is to run without the start files and functions that an earlier step has put into the
# environment for any bash that comes along.
unhook=(env -u BASH_ENV -u ENV)
while IFS= read -r name; do unhook+=(-u "$name"); done < <(env | sed -n 's/^\(BASH_FUNC_[^=]*\)=.*/\1/p')
