# The stages of script/lint and script/test, which source this file.
#
#   stage NAME COMMAND [ARGUMENT ...]
#
# Runs the command, then prints its duration and its CPU time, which depends less on the other load
# of the machine.
# shellcheck shell=bash
stage() {
  local TIMEFORMAT="== $1: %1R s, %1U + %1S s of CPU"
  printf '\n== %s\n' "$1"
  shift
  time "$@"
}
