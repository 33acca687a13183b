"""Tests flags, environment variables and the configuration file."""

import pathlib
import tempfile
import unittest

import api
import quantd_process


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
            (["--max-message-bytes=2GiB", "--max-in-flight-bytes=1GiB"], {}, "max-in-flight-bytes"),
            (["--log-level=loud"], {}, "loud"),
            (["--log-format=xml"], {}, "xml"),
            (["--listen=nowhere"], {}, "nowhere"),
            (["--config=/no/such/file.toml"], {}, "/no/such/file.toml"),
            ([f"--config={self.config}"], {}, "no-such-setting"),
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
