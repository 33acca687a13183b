"""Tests that the commands of docs/security.md work, one after another."""

import contextlib
import os
import pathlib
import re
import selectors
import socket
import subprocess
import tempfile
import unittest

import quantd_process

GUIDE = pathlib.Path(os.environ["QUANTD_SOURCE_DIR"], "docs", "security.md")
# What the guide has for ports, which other tests may use.
PORTS = ("50051", "9464")


def free_ports(number):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("localhost", 0))) for _ in range(number)]
        return [str(taken.getsockname()[1]) for taken in sockets]


class SecurityGuideTest(unittest.TestCase):

    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(
            tempfile.TemporaryDirectory(prefix="quantd-security-")))
        path = f"{quantd_process.BINARIES}:{os.environ['PATH']}"
        # Otherwise the server would also want the port that the guide does not name.
        self.environment = quantd_process.clean_environment(
            {"PATH": path, "QUANTD_METRICS_LISTEN": "localhost:0"})

    def run_command(self, command):
        done = subprocess.run(
            ["bash", "-euc", command], cwd=self.directory, env=self.environment, capture_output=True,
            text=True, check=False, timeout=quantd_process.DEADLINE_SECONDS)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

    @contextlib.contextmanager
    def server(self, command):
        """Runs a server until the context ends."""
        log = self.directory / "log"
        with open(log, "wb") as log_file, subprocess.Popen(
                ["bash", "-euc", f"exec {command}"], cwd=self.directory, env=self.environment,
                stdout=subprocess.PIPE, stderr=log_file) as process:
            try:
                with selectors.DefaultSelector() as selector:
                    selector.register(process.stdout, selectors.EVENT_READ)
                    self.assertTrue(selector.select(quantd_process.DEADLINE_SECONDS), command)
                self.assertIn(b" serving on ", process.stdout.readline(),
                              command + log.read_text(encoding="utf-8"))
                yield
            finally:
                process.terminate()

    def check_prometheus(self, configuration):
        (self.directory / "prometheus.token").write_text("secret", encoding="utf-8")
        path = self.directory / "prometheus.yaml"
        path.write_text(configuration.replace("/etc/prometheus", str(self.directory)), encoding="utf-8")
        self.run_command(f"promtool check config {path}")

    def test_the_commands_work_one_after_another(self):
        text = GUIDE.read_text(encoding="utf-8")
        for port, free in zip(PORTS, free_ports(len(PORTS))):
            text = text.replace(f":{port}", f":{free}")
        answers = 0
        with contextlib.ExitStack() as running:
            for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
                with self.subTest(block):
                    if language == "toml":
                        (self.directory / "policy.toml").write_text(block, encoding="utf-8")
                    elif language == "yaml":
                        self.check_prometheus(block)
                    elif language == "sh" and block.startswith("quantd "):
                        running.close()
                        running.enter_context(self.server(block))
                    elif language == "sh":
                        said = self.run_command(block)
                        answers += "worker threads" in said or "quantd_build_info" in said
        self.assertEqual(answers, 5)


if __name__ == "__main__":
    unittest.main()
