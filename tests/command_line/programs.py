"""quantd and quantctl, and what their --help says."""

import os
import pathlib
import re
import subprocess

BINARY_DIRECTORY = pathlib.Path(os.environ["QUANTD_BINARY_DIR"])
NAMES = ("quantd", "quantctl")


def output_of(program, *arguments):
    """What the program prints; fails where the program does."""
    done = subprocess.run([BINARY_DIRECTORY / program, *arguments], text=True, check=True,
                          stdout=subprocess.PIPE, timeout=60)
    return done.stdout


def commands_of(program):
    """The names of the subcommands in --help."""
    _, _, commands = output_of(program, "--help").partition("Subcommands:\n")
    return re.findall(r"^  ([a-z-]+)", commands, re.MULTILINE)


def flags_in_help(program, *command):
    """The names of all flags in --help, with their dashes."""
    _, _, options = output_of(program, *command, "--help").partition("Options:\n")
    names = []
    for line in re.findall(r"^  (-\S+)", options, re.MULTILINE):
        names += re.findall(r"(?:^|,)(--?[a-z-]+)", line)
    return names


def all_flags(program):
    """For the program itself (an empty tuple) and for each of its commands, its flags."""
    places = [()] + [(command,) for command in commands_of(program)]
    return {place: flags_in_help(program, *place) for place in places}
