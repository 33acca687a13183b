"""The manual pages render without a warning, and leave out nothing that --help has."""

import itertools
import re
import subprocess
import unittest

import programs


def render(page, device="utf8"):
    """The page as a terminal shows it, and what groff complains about."""
    done = subprocess.run(["groff", "-man", "-ww", "-Kutf8", f"-T{device}", "-P-cbou", "-rLL=200n"],
                          input=page, text=True, capture_output=True, check=True, timeout=60)
    return done.stdout, done.stderr


class ManualPageTest(unittest.TestCase):

    def test_it_renders_without_a_warning_on_terminals_old_and_new(self):
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

    def test_it_has_what_help_has_not(self):
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
        """The default of --worker-threads is this machine's number of processors."""
        page = programs.output_of("quantd", "--manual-page")
        self.assertRegex(page, r"by default one a processor\.\n")


if __name__ == "__main__":
    unittest.main()
