"""Tests quantctl with a quantd that asks for a certificate and a token, however quantctl is told of them."""

import json
import pathlib
import re
import tempfile
import unittest

import numpy as np

import golden_cases
import quantd_process
import secure_clients

ERROR = re.compile(r"^quantctl: (?P<code>[A-Z_]+)(?: \((?P<reason>[A-Z_]+)\))?: (?P<message>.*)", re.MULTILINE)


class SecureQuantctlTests(secure_clients.SecureClientTests):
    """A mixin for a SecureClientTestCase that defines where quantctl has its settings from."""

    def told(self, settings):
        """Returns the flags and the environment that tell quantctl of `settings`."""
        raise NotImplementedError

    def settings(self, identity):
        """Returns the settings by the names of their flags."""
        settings = {"server": self.quantd.address, "ca": identity.authority.path}
        if identity.certificate:
            settings |= {"cert": identity.certificate.path, "key": identity.certificate.key_path}
        if identity.token_file:
            settings["token-file"] = identity.token_file
        if identity.server_name:
            settings["server-name"] = identity.server_name
        return settings

    def quantctl(self, settings, *arguments):
        flags, environment = self.told(settings)
        return quantd_process.run(quantd_process.QUANTCTL, *arguments, *flags, environment=environment)

    def fake_quant(self, settings, case):
        """Has a golden case calculated, and returns what quantctl did and wrote."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.directory))
        np.save(folder / "x.npy", case.inputs)
        done = self.quantctl(
            settings, "fake-quant", "--input", folder / "x.npy", "--min", repr(case.min[0]), "--max",
            repr(case.max[0]), "--num-bits", case.num_bits, *(["--narrow-range"] if case.narrow_range else []),
            "--output", folder / "y.npy")
        return done, np.load(folder / "y.npy") if done.returncode == 0 else None

    def check(self, identity):
        settings = self.settings(identity)
        self.assertEqual(self.succeed(settings, "health"), "SERVING\n")
        self.assertTrue(json.loads(self.succeed(settings, "info", "--json"))["version"])
        for case in secure_clients.cases():
            if case.op == "vars":
                done, written = self.fake_quant(settings, case)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(written.shape, case.outputs.shape)
                self.assertTrue(golden_cases.equal_bits(written, case.outputs).all())
        self.assertIn("20 in ", self.succeed(settings, "bench", "--requests", "20", "--verify=100%"))

    def succeed(self, settings, *arguments):
        done = self.quantctl(settings, *arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def refusals(self, identity, connects):
        settings = self.settings(identity)
        case = golden_cases.one_case_of_each_op()[0]
        if not connects:
            settings["retry-for"] = 0
        all_done = [self.fake_quant(settings, case)[0], self.quantctl(settings, "info"),
                    self.quantctl(settings, "bench", "--requests", "20")]
        if not connects:
            all_done.append(self.quantctl(settings, "health"))
        return [self.refusal(done) for done in all_done]

    def refusal(self, done):
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        error = ERROR.search(done.stderr)
        self.assertIsNotNone(error, done.stderr)
        return secure_clients.Refusal(error["code"], error["reason"] or "", error["message"])


class FlagsTest(SecureQuantctlTests, secure_clients.SecureClientTestCase):

    def told(self, settings):
        return [text for name, value in settings.items() for text in (f"--{name}", value)], {}


class EnvironmentTest(SecureQuantctlTests, secure_clients.SecureClientTestCase):

    def told(self, settings):
        return [], {f"QUANTCTL_{name.upper().replace('-', '_')}": str(value)
                    for name, value in settings.items()}


class ConfigurationFileTest(SecureQuantctlTests, secure_clients.SecureClientTestCase):

    def told(self, settings):
        lines = [f"{name} = {value if isinstance(value, int) else json.dumps(str(value))}\n"
                 for name, value in settings.items()]
        return [], {"QUANTCTL_CONFIG": str(self.write("quantctl.toml", "".join(lines)))}


if __name__ == "__main__":
    unittest.main()
