"""Runs quantd and quantctl, and reads their --help."""

import os
import pathlib
import re
import subprocess

BINARY_DIRECTORY = pathlib.Path(os.environ["QUANTD_BINARY_DIR"])
NAMES = ("quantd", "quantctl")


def output_of(program, *arguments):
    """Returns what the program prints. Raises an error if the program fails."""
    done = subprocess.run([BINARY_DIRECTORY / program, *arguments], text=True, check=True,
                          stdout=subprocess.PIPE, timeout=60)
    return done.stdout


def commands_of(program):
    """Returns the names of the subcommands in --help."""
    _, _, commands = output_of(program, "--help").partition("Subcommands:\n")
    return re.findall(r"^  ([a-z-]+)", commands, re.MULTILINE)


def flags_in_help(program, *command):
    """Returns the names of all flags in --help, with their dashes."""
    _, _, options = output_of(program, *command, "--help").partition("Options:\n")
    names = []
    for line in re.findall(r"^  (-\S+)", options, re.MULTILINE):
        names += re.findall(r"(?:^|,)(--?[a-z-]+)", line)
    return names


def all_flags(program):
    """Returns the flags of the program itself, keyed by (), and those of each of its commands."""
    places = [()] + [(command,) for command in commands_of(program)]
    return {place: flags_in_help(program, *place) for place in places}
