"""Tests flags, environment variables and the configuration file."""

import json
import os
import pathlib
import subprocess
import tempfile
import tomllib
import unittest

import api
import quantd_process


def events(quantd, event):
    """Waits for events of a server that logs JSON, and returns them."""
    return [json.loads(line) for line in quantd.wait_for_log(f'"event":"{event}"')]


class OptionsTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="quantd-")
        self.addCleanup(directory.cleanup)
        self.config = pathlib.Path(directory.name) / "quantd.toml"

    def check_config(self, *flags, environment=None):
        """Returns the effective settings, as printed by --check-config."""
        done = quantd_process.run(quantd_process.QUANTD, *flags, "--check-config",
                                  environment=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def worker_threads(self, *flags, environment=None):
        """Returns the number of threads of a real server with these settings."""
        with quantd_process.Quantd(*flags, environment=environment) as quantd:
            info = quantd.stub().GetServerInfo(api.GetServerInfoRequest())
            self.assertEqual(info.worker_threads, quantd.worker_threads)
            return info.worker_threads

    def test_what_check_config_prints_is_a_configuration_file(self):
        flags = ("--listen=localhost:1234", "--listen=unix:/tmp/quantd.sock", "--worker-threads=3",
                 "--max-message-bytes=64MiB", "--max-in-flight-bytes=1GiB", "--drain-timeout=7",
                 "--log-level=debug", "--log-format=json", "--no-reflection")
        printed = self.check_config(*flags)
        self.assertNotEqual(printed, self.check_config())
        self.config.write_text(printed, encoding="utf-8")
        self.assertEqual(self.check_config(f"--config={self.config}"), printed)

    def test_any_path_survives_a_configuration_file(self):
        for path in ('/tmp/"quoted".sock', "/tmp/back\\slash\\n.sock", "/tmp/it's.sock", "/tmp/a b\t.sock",
                     "/tmp/line\nbreak.sock", "/tmp/\x1b[1mé…𝄞\x7f.sock", "/tmp/#[x]=,{y}.sock"):
            with self.subTest(path):
                printed = self.check_config("--listen", f"unix:{path}")
                self.assertEqual(tomllib.loads(printed)["listen"], [f"unix:{path}"])
                self.config.write_text(printed, encoding="utf-8")
                self.assertEqual(self.check_config("--config", self.config), printed)

    def test_a_path_that_toml_cannot_express_is_refused(self):
        done = quantd_process.run(quantd_process.QUANTD, "--check-config", "--listen",
                                  os.fsdecode(b"unix:/tmp/\xff.sock"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("UTF-8", done.stderr)

    def test_unknown_variables_are_reported_and_do_no_harm(self):
        environment = {"QUANTD_LOG_LEVLE": "debug", "QUANTD_PORT": "tcp://10.0.0.1:50051",
                       "QUANTD_SERVICE_HOST": "10.0.0.1", "QUANTD_LOG_LEVEL": ""}
        done = quantd_process.run(quantd_process.QUANTD, "--check-config", environment=environment)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(
            done.stderr,
            "quantd: warning: the environment variable QUANTD_LOG_LEVLE is not a setting and has no "
            "effect; did you mean QUANTD_LOG_LEVEL?\n")
        with quantd_process.Quantd("--log-format=json", environment=environment) as quantd:
            warnings = events(quantd, "setting")
        self.assertEqual([warning["level"] for warning in warnings], ["warning"])
        self.assertIn("QUANTD_LOG_LEVLE", warnings[0]["message"])

    def test_limits_follow_the_memory_limit_and_the_log_says_why(self):
        with quantd_process.Quantd("--log-format=json", "--memory-limit=512MiB",
                                   environment={"QUANTD_WORKER_THREADS": "3"}) as quantd:
            info = quantd.stub().GetServerInfo(api.GetServerInfoRequest())
            limits = events(quantd, "limits")[0]
        self.assertEqual(info.max_in_flight_bytes, 298 * 2**20)
        self.assertEqual(info.max_message_bytes, 256 * 2**20)
        self.assertEqual({key: limits[key] for key in set(limits) - {"time", "level"}}, {
            "event": "limits",
            "worker_threads": 3,
            "worker_threads_from": "the environment variable QUANTD_WORKER_THREADS",
            "memory_limit_bytes": 512 * 2**20,
            "memory_limit_from": "--memory-limit",
            "max_in_flight_bytes": 298 * 2**20,
            "max_in_flight_bytes_from": "--memory-limit",
            "max_message_bytes": 256 * 2**20,
            "max_message_bytes_from": "the default",
        })

    def test_too_much_in_flight_for_the_memory_is_reported(self):
        done = quantd_process.run(quantd_process.QUANTD, "--check-config", "--memory-limit=512MiB",
                                  "--max-in-flight-bytes=400MiB")
        self.assertEqual(done.returncode, 0)
        self.assertIn("exceed the memory limit (512MiB, from --memory-limit)", done.stderr)

    def test_worker_threads_follow_the_affinity(self):
        done = subprocess.run(["taskset", "--cpu-list", str(min(os.sched_getaffinity(0))),
                               quantd_process.QUANTD, "--check-config"], check=True, text=True,
                              capture_output=True, env=quantd_process.clean_environment())
        self.assertEqual(tomllib.loads(done.stdout)["worker-threads"], 1)

    def test_the_defaults_are_a_valid_configuration_file(self):
        printed = self.check_config()
        self.config.write_text(printed, encoding="utf-8")
        self.assertEqual(self.check_config("--config", self.config), printed)

    def test_flags_override_the_environment_which_overrides_the_file(self):
        self.config.write_text("worker-threads = 3\n", encoding="utf-8")
        file = f"--config={self.config}"
        environment = {"QUANTD_WORKER_THREADS": "4"}
        self.assertEqual(self.worker_threads(file), 3)
        self.assertEqual(self.worker_threads(file, environment=environment), 4)
        self.assertEqual(
            self.worker_threads(file, "--worker-threads=5", environment=environment), 5)

    def test_limits_reach_the_clients(self):
        with quantd_process.Quantd("--max-message-bytes=2MiB", "--max-in-flight-bytes=8MiB") as quantd:
            info = quantd.stub().GetServerInfo(api.GetServerInfoRequest())
        self.assertEqual(info.max_message_bytes, 2 * 2**20)
        self.assertEqual(info.max_in_flight_bytes, 8 * 2**20)

    def test_bad_usage_exits_with_2_and_names_the_fault(self):
        self.config.write_text("no-such-setting = 1\n", encoding="utf-8")
        for flags, environment, named in (
            (["--no-such-flag"], {}, "no-such-flag"),
            (["--worker-threads=0"], {}, "worker-threads"),
            (["--worker-threads=many"], {}, "many"),
            (["--max-message-bytes=12parsec"], {}, "12parsec"),
            (["--max-message-bytes=1GiB", "--max-in-flight-bytes=1MiB"], {}, "max-in-flight-bytes"),
            (["--log-level=loud"], {}, "loud"),
            (["--log-format=xml"], {}, "xml"),
            (["--listen=nowhere"], {}, "nowhere"),
            (["--config=/no/such/file.toml"], {}, "/no/such/file.toml"),
            ([f"--config={self.config}"], {}, f"{self.config}:1:1: 'no-such-setting'"),
            ([], {"QUANTD_CONFIG": self.config}, f"{self.config}:1:1: 'no-such-setting'"),
            ([f"--config={self.config.parent}"], {}, "Is a directory"),
            ([], {"QUANTD_WORKER_THREADS": "some"}, "some"),
        ):
            with self.subTest(flags=flags, environment=environment):
                done = quantd_process.run(quantd_process.QUANTD, *flags, "--check-config",
                                          environment=environment)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn(named, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_version_and_help_exit_with_0(self):
        for program in (quantd_process.QUANTD, quantd_process.QUANTCTL):
            for flag in ("--version", "--help"):
                with self.subTest(program=program.name, flag=flag):
                    done = quantd_process.run(program, flag)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertIn(program.name, done.stdout)
                    self.assertEqual(done.stderr, "")


class AddressTest(unittest.TestCase):

    def info(self, quantd, address):
        stub = api.QuantizationServiceStub(quantd.connect(address))
        return stub.GetServerInfo(api.GetServerInfoRequest(),
                                  timeout=quantd_process.DEADLINE_SECONDS)

    def test_it_serves_on_every_address(self):
        listen = ("localhost:0", "127.0.0.1:0", "unix:{directory}/quantd.sock")
        with quantd_process.Quantd(listen=listen) as quantd:
            self.assertEqual(len(quantd.addresses), 3)
            for address in quantd.addresses:
                with self.subTest(address):
                    self.assertTrue(self.info(quantd, address).version)

    def test_a_port_that_is_in_use_is_named(self):
        with quantd_process.Quantd() as quantd:
            for taken, *flags in (
                (quantd.address, "--listen", quantd.address, "--metrics-listen", ""),
                (quantd.metrics_address, "--listen", "localhost:0", "--metrics-listen",
                 quantd.metrics_address),
            ):
                with self.subTest(flags):
                    done = quantd_process.run(quantd_process.QUANTD, *flags)
                    self.assertNotEqual(done.returncode, 0)
                    self.assertIn(taken, done.stderr)
                    self.assertEqual(done.stdout, "")
            self.assertTrue(self.info(quantd, quantd.address).version)

    def test_the_socket_file_of_a_dead_server_is_replaced(self):
        with tempfile.TemporaryDirectory(prefix="quantd-") as directory:
            listen = (f"unix:{directory}/quantd.sock",)
            for _ in range(2):
                quantd = quantd_process.Quantd(listen=listen)
                self.assertTrue(self.info(quantd, quantd.address).version)
                quantd.kill()

    def test_metrics_can_be_disabled(self):
        with quantd_process.Quantd(metrics_listen="") as quantd:
            self.assertIsNone(quantd.metrics_address)
            self.assertTrue(self.info(quantd, quantd.address).version)

    def test_an_empty_value_after_an_equals_sign_does_not_consume_the_next_flag(self):
        done = quantd_process.run(quantd_process.QUANTD, "--metrics-listen=",
                                  "--listen=localhost:1234", "--check-config")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('metrics-listen = ""', done.stdout)
        self.assertIn('listen = ["localhost:1234"]', done.stdout)


if __name__ == "__main__":
    unittest.main()
