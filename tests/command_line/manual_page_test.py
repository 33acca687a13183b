"""Checks that the manual pages render without warnings and cover everything in --help."""

import itertools
import re
import subprocess
import unittest

import programs


def render(page, device="utf8"):
    """Returns the page as a terminal shows it, and groff's warnings."""
    done = subprocess.run(["groff", "-man", "-ww", "-Kutf8", f"-T{device}", "-P-cbou", "-rLL=200n"],
                          input=page, text=True, capture_output=True, check=True, timeout=60)
    return done.stdout, done.stderr


class ManualPageTest(unittest.TestCase):

    def test_it_renders_without_warnings_in_ascii_and_utf8(self):
        for program, device in itertools.product(programs.NAMES, ("ascii", "utf8")):
            with self.subTest(program=program, device=device):
                text, complaints = render(programs.output_of(program, "--manual-page"), device)
                self.assertEqual(complaints, "")
                self.assertRegex(text, rf"(?m)^NAME\n +{program} - ")

    def test_it_has_every_flag_of_help(self):
        for program in programs.NAMES:
            text, _ = render(programs.output_of(program, "--manual-page"))
            for command, flags in programs.all_flags(program).items():
                section = text
                if command:
                    # From the command's heading to the next one.
                    section = re.search(rf"(?ms)^   {command[0]}$(.*?)(?=^ ? ? ?\S|\Z)", text)[1]
                self.assertIn("--help", flags)
                for flag in flags:
                    with self.subTest(program=program, command=command, flag=flag):
                        self.assertRegex(section, rf"(?m)^ {{5,}}(-\S+, )*{flag}(?![a-z-])")

    def test_it_has_the_sections_that_help_lacks(self):
        for program in programs.NAMES:
            text, _ = render(programs.output_of(program, "--manual-page"))
            for title in ("SYNOPSIS", "DESCRIPTION", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES",
                          "SEE ALSO"):
                with self.subTest(program=program, title=title):
                    self.assertRegex(text, rf"(?m)^{title}$")

    def test_it_names_the_environment_variables(self):
        text, _ = render(programs.output_of("quantd", "--manual-page"))
        for variable in ("QUANTD_LISTEN", "QUANTD_LOG_LEVEL", "QUANTD_CONFIG"):
            self.assertIn(variable, text)
        text, _ = render(programs.output_of("quantctl", "--manual-page"))
        for variable in ("QUANTCTL_SERVER", "QUANTCTL_TIMEOUT"):
            self.assertIn(variable, text)

    def test_it_is_the_same_on_every_machine(self):
        """The default of --worker-threads is described, not shown as a number."""
        page = programs.output_of("quantd", "--manual-page")
        self.assertRegex(page, r"by default one per processor that the process and the CPU quota of its cgroup allow\.\n")


if __name__ == "__main__":
    unittest.main()
