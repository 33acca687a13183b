"""Tests that the source tree follows the rules of rules.py, and that the rules detect violations."""

import os
import pathlib
import re
import tempfile
import unittest

import rules

SOURCE_DIRECTORY = pathlib.Path(os.environ["QUANTD_SOURCE_DIR"])


class SourceTreeTest(unittest.TestCase):

    def test_the_source_tree_follows_the_rules(self):
        violations = rules.check(SOURCE_DIRECTORY)
        self.assertEqual(violations, [], "\n" + "\n".join(map(str, violations)))

    def test_every_room_contains_files_to_check(self):
        for room in rules.ROOMS:
            with self.subTest(room):
                self.assertTrue(any((SOURCE_DIRECTORY / room).rglob("*.[chp]*")))


class ReadmeTest(unittest.TestCase):

    def test_the_table_of_errors_lists_every_reason_once(self):
        header = (SOURCE_DIRECTORY / "core/base/error_reason.h").read_text(encoding="utf-8")
        reasons = re.findall(r'NamedErrorReason\{ErrorReason::k\w+, "([A-Z_]+)"\}', header)
        self.assertNotEqual(reasons, [])
        readme = (SOURCE_DIRECTORY / "README.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| `([A-Z_]+)` \| `[A-Z_]+` \|", readme, re.MULTILINE)
        self.assertCountEqual(rows, reasons)


class RulesTest(unittest.TestCase):

    def violations_of(self, path, text):
        with tempfile.TemporaryDirectory() as root:
            file = pathlib.Path(root, path)
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
            return rules.check(root)

    def test_every_rule_detects_its_violations(self):
        caught = set()
        for path, text in (
            ("proto/a.proto", 'import "core/a.proto";'),
            ("core/a.cc", '#include "server/operations/codec.h"'),
            ("core/a.cc", '#include "client/library/client.h"'),
            ("core/a.cc", '#include "quantd/v1/tensor.pb.h"'),
            ("core/a.cc", "#include <grpcpp/grpcpp.h>"),
            ("core/a.cc", "#include <prometheus/counter.h>"),
            ("core/a.cc", "#  include <boost/asio.hpp>"),
            ("server/a.cc", "#include <boost/asio.hpp>"),
            ("core/kernels/a.cc", "#include <CLI/CLI.hpp>"),
            ("core/a.cc", '#include "tests/golden/golden_cases.h"'),
            ("wire/a.cc", '#include "core/quantization.h"'),
            ("wire/a.cc", '#include "server/operations/codec.h"'),
            ("command_line/a.cc", '#include "core/base/error.h"'),
            ("server/a.cc", '#include "client/library/npy.h"'),
            ("client/quantctl/a.cc", '#include "server/operations/codec.h"'),
            ("server/a.cc", '#include "core/kernels/store.h"'),
            ("client/a.cc", '#include "core/kernels/store.h"'),
            ("tests/client/a.cc", '#include "server/server.h"'),
            ("tests/client/a.cc", '#include "tests/server/running_server.h"'),
            ("tests/server/a.cc", '#include "client/library/client.h"'),
            ("tests/server/a.cc", '#include "tests/client/test_server.h"'),
            ("core/base/a.cc", '#include "core/quantization.h"'),
            ("core/base/a.cc", '#include "hwy/highway.h"'),
            ("server/calls/a.cc", '#include "server/operations/codec.h"'),
            ("client/library/a.cc", '#include "client/quantctl/report.h"'),
            ("client/load/a.cc", '#include "client/quantctl/report.h"'),
            ("server/server.cc", "#include <prometheus/registry.h>"),
            ("server/settings/options.cc", "#include <CLI/CLI.hpp>"),
            ("client/library/client.cc", '#include "command_line/manual_page.h"'),
            ("server/settings/options.cc", "#include <toml++/toml.h>"),
            ("server/server.cc", "#include <openssl/ssl.h>"),
            ("server/operations/handlers.cc", '#include "google/rpc/status.pb.h"'),
            ("server/server.cc", 'Count("quantd_rejected_requests_total");'),
            ("server/server.cc", 'Count(R"(grpc_server_started_total)");'),
            ("server/server.cc", "if (broken) std::exit(1);"),
            ("server/server.cc", "abort();"),
            ("client/library/client.cc", "::signal(SIGINT, SIG_IGN);"),
            ("client/library/client.cc", 'std::getenv("HOME");'),
            ("core/a.cc", 'std::cerr << "no";'),
            ("server/server.cc", 'printf("no");'),
            ("core/a.cc", "auto* a = new A;"),
            ("core/a.cc", "delete a;"),
            ("core/a.cc", "void* p = malloc(3);"),
            ("server/operations/handlers.cc", "message.ParseFromString(bytes);"),
            ("server/a.cc", "// " + "TO" + "DO: later"),
        ):
            with self.subTest(path=path, text=text):
                found = self.violations_of(path, text)
                self.assertNotEqual(found, [])
                self.assertEqual({(v.path, v.line, v.text) for v in found}, {(path, 1, text)})
                caught |= {violation.rule for violation in found}
        self.assertEqual({rule.name for rule in rules.RULES} - caught, set())

    def test_a_header_s_guard_is_its_path(self):
        for guard in ("QUANTD_SERVER_OPERATIONS_CODEC_H_", "QUANTD_CODEC_H_"):
            text = f"#ifndef {guard}\n#define {guard}\n#endif\n"
            found = self.violations_of("server/operations/codec.h", text)
            self.assertEqual(found == [], guard == "QUANTD_SERVER_OPERATIONS_CODEC_H_")

    def test_a_violation_names_its_line(self):
        (violation,) = self.violations_of("core/a.cc", "/* one\n   two */\nint* a = new int;\n")
        self.assertEqual(str(violation), "core/a.cc:3: ownership is in types: int* a = new int;")

    def test_permitted_code_is_accepted(self):
        for path, text in (
            ("core/a.cc", '#include "core/quantization.h"\n#include <tbb/tbb.h>'),
            ("core/a.cc", "#include <new>"),
            ("core/kernels/a.cc", '#include "core/kernels/store.h"'),
            ("wire/a.cc", '#include "core/base/error.h"'),
            ("server/operations/codec.cc", '#include "core/base/error.h"\n#include "quantd/v1/tensor.pb.h"'),
            ("command_line/a.cc", '#include <CLI/CLI.hpp>\n#include "command_line/flag.h"'),
            ("client/quantctl/main.cc", "#include <CLI/CLI.hpp>\nint main() { exit(2); }"),
            ("server/telemetry/metrics.cc", 'Count("quantd_rejected_requests_total");'),
            ("client/load/server_metrics.cc", 'Sum("quantd_elements_total");'),
            ("server/main.cc", "pthread_sigmask(SIG_BLOCK, &signals, nullptr);"),
            ("core/a.cc", "A(const A&) = delete;"),
            ("core/a.cc", "return absl::WrapUnique(new A(1));"),
            ("core/a.cc", "// A new kind of delete; exit(1)."),
            ("core/a.cc", 'Say("a new std::cout; abort()");'),
            ("core/a.cc", "const auto size = 1'000'000; exit_code(1); call.kill(2);"),
            ("server/a.cc", 'Flag("quantd_tests");'),
        ):
            with self.subTest(path=path, text=text):
                self.assertEqual(self.violations_of(path, text), [])


if __name__ == "__main__":
    unittest.main()
