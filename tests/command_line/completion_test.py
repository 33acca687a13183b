"""Tests the completion scripts, each in its shell."""

import errno
import os
import pathlib
import pty
import select
import signal
import subprocess
import tempfile
import unittest

import programs

# How long a shell may be silent.
DEADLINE_SECONDS = 60

# Sources a script and calls its function as bash would for the words that follow; the last word is
# the one to complete.
BASH = r"""
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"_$1"
printf '%s\n' "${COMPREPLY[@]}"
"""

# Completes $LINE as if the user pressed Tab once.
ZSHRC = r"""
autoload -Uz compinit && compinit -u -D
source "$SCRIPT"
zle-line-init() {
  BUFFER=$LINE CURSOR=${#LINE}
  zle complete-word
  print -r -- "$BUFFER" >"$RESULT"
  exit
}
zle -N zle-line-init
"""


class CompletionTestCase(unittest.TestCase):
    """Base of the test cases below, one per shell; it has no tests of its own."""

    shell = ""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="quantd-completion-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.scripts = {}
        for program in programs.NAMES:
            script = self.directory / f"{program}.{self.shell}"
            script.write_text(programs.output_of(program, "--completion", self.shell),
                              encoding="utf-8")
            self.scripts[program] = script

    def run_shell(self, *command, **environment):
        """Returns what the shell prints. Fails if it prints errors."""
        done = subprocess.run(command, text=True, capture_output=True, timeout=60,
                              cwd=self.directory, env={**os.environ, "HOME": str(self.directory),
                                                       **environment})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def make_files(self, *names):
        for name in names:
            (self.directory / name).touch()


class BashTest(CompletionTestCase):

    shell = "bash"

    def complete(self, *words):
        """Returns the completions of the last word; the others precede it, the program first.

        An equals sign is a word of its own, as in bash.
        """
        output = self.run_shell("bash", "--norc", "-c", BASH, "bash", self.scripts[words[0]], *words)
        return output.split()

    def test_the_script_has_no_syntax_errors(self):
        for script in self.scripts.values():
            self.run_shell("bash", "-n", script)

    def test_it_completes_commands(self):
        self.assertEqual(self.complete("quantctl", ""), programs.commands_of("quantctl"))
        self.assertEqual(self.complete("quantctl", "fa"), ["fake-quant"])
        self.assertEqual(self.complete("quantctl", "nothing"), [])

    def test_it_does_not_take_a_value_for_a_command(self):
        self.assertEqual(self.complete("quantctl", "--server", "info", "ben"), ["bench"])
        self.assertEqual(self.complete("quantctl", "--server", "=", "info", "ben"), ["bench"])

    def test_it_completes_global_flags_before_and_after_a_command(self):
        self.assertEqual(self.complete("quantd", "--max-connection-"),
                         ["--max-connection-age", "--max-connection-idle"])
        self.assertEqual(self.complete("quantctl", "--ti"), ["--timeout"])
        self.assertEqual(self.complete("quantctl", "bench", "--ti"), ["--timeout"])
        self.assertEqual(self.complete("quantctl", "bench", "--find"), ["--find-max-rate"])
        self.assertEqual(self.complete("quantctl", "info", "--find"), [])

    def test_it_knows_every_flag_of_help(self):
        for program in programs.NAMES:
            for command, flags in programs.all_flags(program).items():
                with self.subTest(program=program, command=command):
                    self.assertLessEqual(set(flags), set(self.complete(program, *command, "-")))

    def test_it_completes_the_values_of_a_choice(self):
        self.assertEqual(self.complete("quantd", "--log-level", ""),
                         ["debug", "info", "warning", "error"])
        self.assertEqual(self.complete("quantd", "--log-level", "=", "w"), ["warning"])
        self.assertEqual(self.complete("quantd", "--log-level", "="),
                         ["debug", "info", "warning", "error"])
        self.assertEqual(self.complete("quantctl", "bench", "--arrivals", "=", "p"), ["poisson"])
        self.assertEqual(self.complete("quantctl", "quantize", "--numerics", "lite"),
                         ["litert", "litert-xnnpack"])

    def test_it_completes_after_an_equals_sign_that_is_not_a_word_break(self):
        self.assertEqual(self.complete("quantd", "--log-level=w"), ["--log-level=warning"])

    def test_it_distinguishes_flags_of_the_same_name(self):
        """bench --output takes a kind, fake-quant --output a file."""
        self.make_files("x.npy")
        self.assertEqual(self.complete("quantctl", "bench", "--output", ""),
                         ["text", "json", "csv"])
        self.assertEqual(self.complete("quantctl", "fake-quant", "--output", "x"), ["x.npy"])

    def test_it_completes_file_names(self):
        self.make_files("one.npy", "other.npy")
        for words in (("--input", "on"), ("--input", "=", "on")):
            self.assertEqual(self.complete("quantctl", "fake-quant", *words), ["one.npy"])
        self.assertEqual(self.complete("quantctl", "quantize", "--scale", "ot"), ["other.npy"])
        self.assertEqual(self.complete("quantd", "--config", "ot"), ["other.npy"])

    def test_it_offers_nothing_for_a_free_value(self):
        self.make_files("one.npy")
        self.assertEqual(self.complete("quantctl", "--server", ""), [])
        self.assertEqual(self.complete("quantctl", "bench", "--rate", "=", ""), [])

    def test_it_registers_itself(self):
        for program, script in self.scripts.items():
            output = self.run_shell("bash", "--norc", "-c", f'source "$1"; complete -p {program}',
                                    "bash", script)
            self.assertEqual(output, f"complete -F _{program} {program}\n")


class ZshTest(CompletionTestCase):

    shell = "zsh"

    def complete(self, line):
        """Returns the line as it is after Tab was pressed at its end."""
        (self.directory / ".zshrc").write_text(ZSHRC, encoding="utf-8")
        result = self.directory / "result"
        result.unlink(missing_ok=True)
        environment = {**os.environ, "ZDOTDIR": str(self.directory), "LINE": line, "TERM": "dumb",
                       "SCRIPT": str(self.scripts[line.split()[0]]), "RESULT": str(result)}
        # Completion only works on a terminal.
        terminal, of_shell = pty.openpty()
        self.addCleanup(os.close, terminal)
        with subprocess.Popen(["zsh", "-o", "no_global_rcs", "-i"], stdin=of_shell,
                              stdout=of_shell, stderr=of_shell, env=environment,
                              cwd=self.directory, start_new_session=True) as zsh:
            os.close(of_shell)
            try:
                shown = b"".join(iter(lambda: read_or_end(terminal), b""))
            except TimeoutError:
                os.killpg(zsh.pid, signal.SIGKILL)
                raise
        self.assertTrue(result.exists(), shown)
        return result.read_text(encoding="utf-8").rstrip("\n")

    def test_the_script_has_no_syntax_errors(self):
        for script in self.scripts.values():
            self.run_shell("zsh", "-n", script)

    def test_it_completes_commands_flags_values_and_files(self):
        self.make_files("one.npy", "other.npy")
        for line, completed in (
            ("quantctl fa", "quantctl fake-quant "),
            ("quantctl --server info ben", "quantctl --server info bench "),
            ("quantctl bench --arr", "quantctl bench --arrivals="),
            ("quantctl info --js", "quantctl info --json "),
            ("quantctl bench --seed=1 --verify=5% --find-",
             "quantctl bench --seed=1 --verify=5% --find-max-rate "),
            ("quantctl info --find", "quantctl info --find"),
            ("quantctl bench --arrivals po", "quantctl bench --arrivals poisson "),
            ("quantctl bench --arrivals=po", "quantctl bench --arrivals=poisson "),
            ("quantctl fake-quant --input on", "quantctl fake-quant --input one.npy "),
            ("quantctl quantize --scale on", "quantctl quantize --scale one.npy "),
            ("quantctl quantize --numerics=py", "quantctl quantize --numerics=pytorch "),
            ("quantd --listen=a --lis", "quantd --listen=a --listen="),
            ("quantd --log-level=w", "quantd --log-level=warning "),
            ("quantd --config=ot", "quantd --config=other.npy "),
        ):
            with self.subTest(line):
                self.assertEqual(self.complete(line), completed)

    def test_it_knows_every_flag_of_help(self):
        """Looks for them in the specifications for _arguments, which begin with the flag."""
        for program, script in self.scripts.items():
            text = script.read_text(encoding="utf-8")
            for flag in set().union(*programs.all_flags(program).values()):
                with self.subTest(program=program, flag=flag):
                    self.assertRegex(text, rf"(?m)^ +'\*?{flag}(=-?)?\[")


class FishTest(CompletionTestCase):

    shell = "fish"

    def complete(self, line):
        """Returns the completions of the line's last word, without their descriptions."""
        # fish would query the capabilities of an unknown terminal.
        output = self.run_shell("fish", "--no-config", "-c",
                                "source $argv[1]; complete --do-complete $argv[2]",
                                self.scripts[line.split()[0]], line, TERM="dumb")
        return [completion.split("\t")[0] for completion in output.splitlines()]

    def test_the_script_has_no_syntax_errors(self):
        for script in self.scripts.values():
            self.run_shell("fish", "--no-config", "--no-execute", script, TERM="dumb")

    def test_it_completes_commands(self):
        self.assertEqual(sorted(self.complete("quantctl ")),
                         sorted(programs.commands_of("quantctl")))
        self.assertEqual(self.complete("quantctl fa"), ["fake-quant"])
        self.assertEqual(self.complete("quantctl info fa"), [])

    def test_it_knows_every_flag_of_help(self):
        for program in programs.NAMES:
            for command, flags in programs.all_flags(program).items():
                with self.subTest(program=program, command=command):
                    long_flags = {flag for flag in flags if flag.startswith("--")}
                    self.assertLessEqual(long_flags,
                                         set(self.complete(" ".join([program, *command, "--"]))))

    def test_it_completes_the_values_of_a_choice(self):
        self.assertEqual(sorted(self.complete("quantd --log-level ")),
                         ["debug", "error", "info", "warning"])
        self.assertEqual(self.complete("quantctl bench --arrivals=p"), ["--arrivals=poisson"])

    def test_it_completes_file_names_for_flags_that_take_a_file(self):
        self.make_files("one.npy", "other.npy")
        self.assertEqual(self.complete("quantctl fake-quant --input on"), ["one.npy"])
        self.assertEqual(self.complete("quantctl --server on"), [])


def read_or_end(terminal):
    """Returns what the other side of a pseudo-terminal wrote; nothing once it is closed."""
    if not select.select([terminal], [], [], DEADLINE_SECONDS)[0]:
        raise TimeoutError(f"the shell has written nothing for {DEADLINE_SECONDS} s")
    try:
        return os.read(terminal, 65536)
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise


if __name__ == "__main__":
    unittest.main()
