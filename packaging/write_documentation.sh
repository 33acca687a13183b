#!/usr/bin/env bash
# Generates the documentation of the programs in the format in which it is installed.
#
#   write_documentation.sh BINARY_FOLDER OUTPUT_FOLDER
#
# Writes NAME.1.gz, completion/{bash,zsh,fish}/… and quantd.toml, a configuration file that contains
# all settings as comments.
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
# The settings of quantd.service. To change one, remove the # in front of its key, then run
#
#   systemctl restart quantd
#
# QUANTD_… variables in /etc/default/quantd override this file. See quantd(1) for details.

HEADER
  # Excludes the settings of the build's environment, and what the build machine has.
  env -i "$binaries/quantd" --check-config --worker-threads=1 --memory-limit=4GiB | sed 's/^[^#]/#&/'
} >"$output/quantd.toml"
