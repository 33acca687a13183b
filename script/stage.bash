# For script/lint and script/test, which run in stages.
#
#   stage NAME COMMAND [ARGUMENT ...]
#
# Runs the command, and prints what it took: of the clock, and of the processors, which does not
# depend on what else the machine does.
# shellcheck shell=bash
stage() {
  local TIMEFORMAT="== $1: %1R s, %1U + %1S s of CPU"
  printf '\n== %s\n' "$1"
  shift
  time "$@"
}
