"""Tests that compose.yaml is valid and pinned, and that its parts use the right names for each other."""

import os
import pathlib
import re
import subprocess
import tempfile
import tomllib
import unittest

import yaml

import quantd_process

SOURCE_DIRECTORY = pathlib.Path(os.environ["QUANTD_SOURCE_DIR"])
VERSION = os.environ["QUANTD_VERSION"]
DOCKER = SOURCE_DIRECTORY / "docker"
COMPOSE = DOCKER / "compose.yaml"


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


class ComposeTest(unittest.TestCase):

    def setUp(self):
        self.services = read(COMPOSE)["services"]

    def configuration(self, *files):
        """Returns what docker-compose makes of compose.yaml and of the files after it."""
        # Leaves out the project's name, because Debian's docker-compose is too old for it.
        text = re.sub(r"^name:.*\n", "", COMPOSE.read_text(encoding="utf-8"), flags=re.MULTILINE)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as unnamed:
            unnamed.write(text)
            unnamed.flush()
            done = subprocess.run(
                ["docker-compose", "--project-directory", DOCKER,
                 *(f"--file={file}" for file in (unnamed.name, *files)), "config"],
                capture_output=True, text=True, check=False, timeout=quantd_process.DEADLINE_SECONDS)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return yaml.safe_load(done.stdout)

    def check_environment(self, service):
        """Checks that quantd accepts the environment of its container."""
        environment = {"QUANTD_LISTEN": "[::]:50051"} | service["environment"]
        done = quantd_process.run(quantd_process.QUANTD, "--check-config", environment=environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return tomllib.loads(done.stdout)

    def test_docker_compose_accepts_it(self):
        settings = self.check_environment(self.configuration()["services"]["quantd"])
        self.assertTrue(settings["insecure"])

    def test_another_file_adds_tls(self):
        services = self.configuration(DOCKER / "compose.tls.yaml")["services"]
        settings = self.check_environment(services["quantd"])
        self.assertFalse(settings["insecure"])
        (volume,) = services["quantd"]["volumes"]
        source, mounted, mode = volume.split(":")
        self.assertEqual((pathlib.Path(source), mode), (DOCKER / "tls", "ro"))
        for path in (settings["tls-cert"], settings["tls-key"],
                     services["load"]["environment"]["QUANTCTL_CA"]):
            self.assertEqual(str(pathlib.Path(path).parent), mounted)
        self.assertEqual(services["load"]["volumes"], [volume])
        # The health check calls where the server listens, and needs no certificate there.
        probed = services["quantd"]["environment"]["QUANTCTL_SERVER"]
        self.assertIn(probed, settings["listen"])
        self.assertTrue(probed.startswith("unix:/tmp/"))
        self.assertIn("/tmp", services["quantd"]["tmpfs"])

    def test_images_are_pinned_and_quantd_s_has_the_project_s_version(self):
        for name, service in self.services.items():
            with self.subTest(name):
                self.assertRegex(service["image"], r"^[\w./-]+:v?\d+\.\d+\.\d+$")
        self.assertEqual(self.services["quantd"]["image"], f"quantd:{VERSION}")
        self.assertEqual(self.services["load"]["image"], f"quantd:{VERSION}")

    def test_prometheus_scrapes_the_server_and_grafana_queries_prometheus(self):
        (job,) = read(DOCKER / "prometheus" / "prometheus.yaml")["scrape_configs"]
        (target,) = job["static_configs"][0]["targets"]
        (source,) = read(DOCKER / "grafana/provisioning/datasources/prometheus.yaml")["datasources"]
        address = source["url"].removeprefix("http://")
        for address, option in ((target, 1), (address, 0)):
            host, port = address.split(":")
            with self.subTest(address):
                published = self.services[host]["ports"][option]
                self.assertEqual(published.split(":")[-1], port)

    def test_grafana_finds_its_dashboard_where_the_provider_looks(self):
        (provider,) = read(DOCKER / "grafana/provisioning/dashboards/quantd.yaml")["providers"]
        mounts = dict(volume.split(":")[:2] for volume in self.services["grafana"]["volumes"])
        self.assertEqual(mounts["./grafana/quantd.json"], f"{provider['options']['path']}/quantd.json")

    def test_mounted_files_exist(self):
        for name, service in self.services.items():
            for volume in service.get("volumes", ()):
                source = volume.split(":")[0]
                if source.startswith("."):
                    with self.subTest(f"{name}: {source}"):
                        self.assertTrue((DOCKER / source).exists())

    def test_ports_are_only_reachable_from_this_machine(self):
        for name, service in self.services.items():
            for port in service.get("ports", ()):
                with self.subTest(f"{name}: {port}"):
                    self.assertTrue(port.startswith("127.0.0.1:"))

    def test_quantctl_accepts_the_command_of_the_load(self):
        load = self.services["load"]
        self.assertEqual(load["profiles"], ["load"])
        with quantd_process.Quantd() as quantd:
            short = [argument for argument in load["command"] if not argument.startswith("--duration=")]
            done = quantd_process.run(quantd_process.QUANTCTL, *short, "--requests=50", "--warmup=0s",
                                      "--fail-if=errors>0", environment={"QUANTCTL_SERVER": quantd.address})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_grace_period_is_longer_than_the_drain(self):
        done = quantd_process.run(quantd_process.QUANTD, "--check-config")
        drain = int(re.search(r'^drain-timeout ?= ?"?(\d+)s', done.stdout, re.MULTILINE)[1])
        stop = int(self.services["quantd"]["stop_grace_period"].removesuffix("s"))
        self.assertGreater(stop, drain)


if __name__ == "__main__":
    unittest.main()
