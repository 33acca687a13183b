"""The programs that bench/rpc.py runs: servers, and clients that measure them."""

import json
import os
import pathlib
import re
import subprocess
from typing import Any

QUANTD_FLAGS = ("--metrics-listen=", "--max-in-flight-bytes=4GiB", "--log-level=error")
STOP_SECONDS = 30

_SERVING_LINE = re.compile(r"\w.* serving on (?P<addresses>.+?)(?: \(.*\))?\n")


class Certificate:
    """A certificate for 127.0.0.1 that has signed itself, and its key, as PEM files."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.path = directory / "certificate.pem"
        self.key_path = directory / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", self.key_path, "-out", self.path],
            check=True, stderr=subprocess.DEVNULL)


class Server:
    """A running server, in plain text on a free TCP port and a unix socket, or in TLS on a port, if there
    is a certificate. Use it as a context manager."""

    def __init__(self, binary: pathlib.Path, directory: pathlib.Path,
                 certificate: Certificate | None = None) -> None:
        flags = QUANTD_FLAGS if binary.name == "quantd" else ()
        flags += ((f"--listen=unix:{directory / binary.name}",) if certificate is None else
                  (f"--tls-cert={certificate.path}", f"--tls-key={certificate.key_path}"))
        self._process = subprocess.Popen(
            [binary, "--listen=127.0.0.1:0", *flags],
            env=clean_environment(), stdout=subprocess.PIPE, text=True)
        try:
            serving = _SERVING_LINE.fullmatch(self._process.stdout.readline())
            if serving is None:
                raise RuntimeError(f"{binary} did not start serving; see its message above")
        except BaseException:
            self._process.kill()
            raise
        self.process_id = self._process.pid
        transports = ("tcp", "unix") if certificate is None else ("tls",)
        self.addresses = dict(zip(transports, serving["addresses"].split(", "), strict=True))

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._process)


class Driver:
    """A running rpc_benchmark, which measures one case after another."""

    def __init__(self, binary: pathlib.Path) -> None:
        self._process = subprocess.Popen(
            [binary, "--cases"], env=clean_environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def measure(self, case: dict[str, Any]) -> dict[str, float]:
        print(json.dumps(case), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"rpc_benchmark ended with code {self._process.wait()} at {case}")
        result = json.loads(line)
        if "error" in result:
            raise RuntimeError(f"rpc_benchmark failed at {case}: {result['error']}")
        return result

    def __enter__(self) -> "Driver":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        stop(self._process)


class LoadTester:
    """quantctl bench, which is started for each case."""

    def __init__(self, binary: pathlib.Path) -> None:
        self._binary = binary

    def measure(self, case: dict[str, Any]) -> dict[str, float]:
        done = subprocess.run(
            [self._binary, "--server", case["server_address"], "bench", "--output=json",
             f"--method={case['operation']}", f"--shape={case['tensor_bytes'] // 4}", f"--concurrency={case['in_flight']}",
             f"--warmup={case['warmup_ms']}ms", f"--duration={case['duration_ms']}ms",
             "--fail-if=errors>0"],
            env=clean_environment(), stdout=subprocess.PIPE, text=True, check=True)
        result = json.loads(done.stdout)
        gigabytes = result["gigabytes_per_second"] * result["seconds"]
        return {
            "calls_per_second": result["calls_per_second"],
            "gigabytes_per_second": result["gigabytes_per_second"],
            "p50_seconds": result["latency_seconds"]["p50"],
            "p99_seconds": result["latency_seconds"]["p99"],
            "client_cpu_seconds_per_gigabyte": result["client_cpu_seconds"] / gigabytes,
        }


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def clean_environment() -> dict[str, str]:
    """Returns the environment without variables that would change quantd's or gRPC's behavior."""
    return {key: value for key, value in os.environ.items()
            if not key.startswith(("QUANTD_", "GRPC_")) and not key.lower().endswith("_proxy")}
