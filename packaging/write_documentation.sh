#!/usr/bin/env bash
# Writes what the programs tell about themselves, in the form in which it is installed.
#
#   write_documentation.sh BINARY_FOLDER OUTPUT_FOLDER
#
# Makes NAME.1.gz, completion/{bash,zsh,fish}/… and quantd.toml, a configuration file that has all
# settings as comments.
set -euo pipefail

readonly binaries=$1 output=$2

for program in quantd quantctl; do
  mkdir -p "$output"/completion/{bash,zsh,fish}
  "$binaries/$program" --completion bash >"$output/completion/bash/$program"
  "$binaries/$program" --completion zsh >"$output/completion/zsh/_$program"
  "$binaries/$program" --completion fish >"$output/completion/fish/$program.fish"
  "$binaries/$program" --manual-page | gzip -9n >"$output/$program.1.gz"
done

{
  cat <<'HEADER'
# The settings of quantd.service: take away the # before a key to change it, then
#
#   systemctl restart quantd
#
# QUANTD_… variables in /etc/default/quantd win over this file. quantd(1) tells more.

HEADER
  # Neither the settings of who builds it, nor the number of its processors.
  env -i "$binaries/quantd" --check-config --worker-threads=1 | sed 's/^[^#]/#&/'
} >"$output/quantd.toml"
