"""Runs a real Prometheus with the project's configuration, which scrapes a server of the test."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import yaml

import quantd_process

CONFIGURATION = pathlib.Path(os.environ["QUANTD_SOURCE_DIR"], "docker", "prometheus", "prometheus.yaml")

# Much shorter than the project's interval, because the tests wait for scrapes.
SCRAPE_INTERVAL = "1s"

_LISTENING = re.compile(r'msg="Listening on" address=(\S+)')


class Prometheus:
    """A running Prometheus that scrapes `target` (HOST:PORT). As a context manager, it stops on exit."""

    def __init__(self, target):
        self._directory = tempfile.TemporaryDirectory(prefix="prometheus-")
        directory = pathlib.Path(self._directory.name)
        configuration = directory / "prometheus.yaml"
        configuration.write_text(yaml.safe_dump(self._configuration(target)), encoding="utf-8")
        self._log_path = directory / "log"
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                ["prometheus", f"--config.file={configuration}", "--web.listen-address=127.0.0.1:0",
                 f"--storage.tsdb.path={directory / 'data'}"],
                env=quantd_process.clean_environment(), stdout=log, stderr=log)
        try:
            self.address = quantd_process.wait_until(self._listening, "Prometheus to listen")[1]
            quantd_process.wait_until(self._is_ready, "Prometheus to be ready")
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def _configuration(target):
        """Returns the project's configuration with another target and shorter intervals."""
        configuration = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
        configuration["global"] = {"scrape_interval": SCRAPE_INTERVAL,
                                   "evaluation_interval": SCRAPE_INTERVAL}
        configuration["rule_files"] = [
            str(CONFIGURATION.parent / name) for name in configuration["rule_files"]]
        (job,) = configuration["scrape_configs"]
        (static,) = job["static_configs"]
        static["targets"] = [target]
        return configuration

    @property
    def log(self):
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def _listening(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"Prometheus ended with exit code {self._process.returncode}:\n{self.log}")
        return _LISTENING.search(self.log)

    def _is_ready(self):
        try:
            return self._get("/-/ready")
        except urllib.error.HTTPError:  # 503 while Prometheus is starting.
            return None

    def _get(self, path, **parameters):
        url = f"http://{self.address}{path}?{urllib.parse.urlencode(parameters)}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=quantd_process.DEADLINE_SECONDS) as answer:
            return answer.read()

    def ask(self, path, **parameters):
        """Returns the "data" in the answer of Prometheus' HTTP API."""
        answer = json.loads(self._get(f"/api/v1/{path}", **parameters))
        if answer["status"] != "success":
            raise RuntimeError(f"Prometheus answered {answer}")
        return answer["data"]

    def query(self, expression, time=None):
        """Returns the instant vector of a PromQL expression as a list of (labels, value)."""
        parameters = {"query": expression} | ({} if time is None else {"time": time})
        data = self.ask("query", **parameters)
        if data["resultType"] != "vector":
            raise ValueError(f"{expression} is a {data['resultType']}, not a vector")
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]]

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(quantd_process.DEADLINE_SECONDS)
        self._directory.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()
