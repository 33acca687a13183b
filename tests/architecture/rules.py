"""Architecture rules that a program can check: which files may include what, and may do what.

docs/design.md gives the reasons. A rule defines the files to which it applies (path patterns) and the
lines that it forbids (a pattern).
"""

import dataclasses
import fnmatch
import pathlib
import re

ROOMS = ("bench", "client", "command_line", "core", "proto", "server", "tests", "wire")


@dataclasses.dataclass(frozen=True)
class Rule:
    """Forbids lines in files that match `where` and do not match `except_in`."""

    name: str
    where: tuple
    forbidden: re.Pattern
    # The text to which the pattern applies: "code" without comments and literals, only "literals", or
    # "includes" (the path between the quotes or angle brackets, and imports in .proto files).
    looks_at: str
    except_in: tuple = ()

    def holds_in(self, path):
        return _matches(path, self.where) and not _matches(path, self.except_in)


@dataclasses.dataclass(frozen=True)
class Violation:
    """A line that breaks a rule."""

    path: str
    line: int
    rule: str
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


def _matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _include_rule(name, where, forbidden, except_in=()):
    return Rule(name, where, re.compile(forbidden), "includes", except_in)


def _code_rule(name, where, forbidden, except_in=()):
    return Rule(name, where, re.compile(forbidden), "code", except_in)


_ROOMS_OF_CODE = ("core/*", "server/*", "client/*", "wire/*", "command_line/*")
_MAIN = ("server/main.cc", "client/quantctl/main.cc")
# Libraries for transport, HTTP, metrics, flags and JSON.
_WORLD = r"(quantd/v1|google|grpc|grpcpp|boost|prometheus|CLI|nlohmann|toml\+\+)/"

RULES = (
    # Dependencies between folders.
    _include_rule("proto includes nothing of the other rooms", ("proto/*",),
                  r"(core|server|client|wire|command_line|tests|bench)/"),
    _include_rule("command_line includes no other room", ("command_line/*",),
                  r"(proto|core|server|client|wire|tests|bench|quantd/v1)/"),
    _include_rule("core includes no other room", ("core/*",),
                  r"(server|client|wire|command_line|tests|bench)/"),
    _include_rule("core knows no proto, gRPC, metrics, flags or logs", ("core/*",), _WORLD),
    _include_rule("wire includes only proto and core/base", ("wire/*",),
                  r"(server|client|command_line|tests|bench)/|core/(?!base/)"),
    _include_rule("core/base is below all other rooms", ("core/base/*",),
                  r"(proto|wire|server|client|command_line|tests|bench|hwy|oneapi|tbb)/|core/(?!base/)"),
    _include_rule("of the server, only operations use the codec and core's numerics",
                  ("server/access/*", "server/calls/*", "server/settings/*", "server/telemetry/*"),
                  r"server/operations/"),
    _include_rule("the client's library knows neither its load tester nor its programs",
                  ("client/library/*",), r"client/(load|quantctl)/"),
    _include_rule("the load tester does not know quantctl", ("client/load/*",), r"client/quantctl/"),
    _include_rule("server includes only core, proto, wire and command_line", ("server/*",),
                  r"(client|tests|bench)/"),
    _include_rule("client includes only core, proto, wire and command_line", ("client/*",),
                  r"(server|tests|bench)/"),
    _include_rule("no room includes tests or benchmarks", _ROOMS_OF_CODE, r"(tests|bench)/"),
    _include_rule("kernels and operations are core's own", ("server/*", "client/*", "wire/*", "core/*.h"),
                  r"core/(kernels|operations)/", except_in=("core/kernels/*", "core/operations/*")),
    _include_rule("the client is tested without the server", ("tests/client/*",), r"(tests/)?server/"),
    _include_rule("the server is tested without the client", ("tests/server/*",), r"(tests/)?client/"),

    # Each responsibility has one place.
    _include_rule("only the metrics files know prometheus-cpp", _ROOMS_OF_CODE, r"prometheus/",
                  except_in=("server/telemetry/metrics*", "server/telemetry/process_metrics*")),
    _include_rule("only the HTTP server knows Boost", _ROOMS_OF_CODE, r"boost/",
                  except_in=("server/telemetry/http_*",)),
    _include_rule("only the command line, main, quantctl and command_line know flags", _ROOMS_OF_CODE,
                  r"(CLI|command_line)/",
                  except_in=("server/settings/command_line.*", "server/settings/manual_text.*",
                             "server/main.cc", "client/quantctl/*",
                             "command_line/*")),
    _include_rule("only one file knows toml++", _ROOMS_OF_CODE, r"toml\+\+/",
                  except_in=("server/settings/toml.h",)),
    _include_rule("only access knows OpenSSL", _ROOMS_OF_CODE, r"openssl/",
                  except_in=("server/access/*",)),
    _include_rule("only one file knows google.rpc", _ROOMS_OF_CODE, r"google/rpc/",
                  except_in=("wire/status.*",)),
    Rule("only the metrics files name a series", _ROOMS_OF_CODE,
         re.compile(r"\b(quantd_[a-z_]+_(total|seconds|bytes|requests|info)|grpc_server_\w+|"
                    r"process_[a-z_]+_(total|bytes|fds|seconds))\b"),
         "literals",
         except_in=("server/telemetry/metrics*", "server/telemetry/process_metrics*", "client/load/server_metrics*")),
    _code_rule("only main exits or touches signals", _ROOMS_OF_CODE,
               r"(?<![\w.>])(std::|::)?(_?exit|_Exit|abort|quick_exit|terminate|signal|sigaction|"
               r"sigwait\w*|sigprocmask|pthread_sigmask|raise|kill)\s*\(",
               except_in=_MAIN),
    _code_rule("only main reads the environment", _ROOMS_OF_CODE, r"\b(secure_)?getenv\b",
               except_in=_MAIN),
    _code_rule("libraries do not print", _ROOMS_OF_CODE,
               r"\bstd::(cout|cerr|clog)\b|\b(printf|fprintf|puts|fputs|perror)\s*\(",
               except_in=("server/main.cc", "client/quantctl/*")),
    _code_rule("ownership is in types", _ROOMS_OF_CODE,
               r"(?<!operator )(?<!WrapUnique\()\bnew\b(?!-)|(?<!operator )(?<!= )\bdelete\b(?!-)|"
               r"\b(malloc|calloc|realloc|free)\s*\("),
    _code_rule("only the wire files turn messages into bytes or back", _ROOMS_OF_CODE,
               r"[.>](ParseFrom|ParsePartialFrom|MergeFrom(Coded|Zero|String)|MergePartialFrom|"
               r"Serialize\w*To|SerializeAs|AppendToString)\w*\s*\(",
               except_in=("wire/*",)),
    _code_rule("nothing is left to do", ("*",), r"\b(TODO|FIXME|XXX|HACK)\b"),
)


def check(root):
    """Returns all violations in the source tree at `root`."""
    root = pathlib.Path(root)
    violations = []
    for room in ROOMS:
        for file in sorted((root / room).rglob("*")):
            if file.suffix in (".h", ".cc", ".proto"):
                path = file.relative_to(root).as_posix()
                violations += _check_file(path, file.read_text(encoding="utf-8"))
    return violations


def _check_file(path, text):
    code, literals = _split(text)
    views = {"code": code, "literals": literals, "includes": _includes(text)}
    found = [
        Violation(path, number, rule.name, text.splitlines()[number - 1].strip())
        for rule in RULES if rule.holds_in(path)
        for number, line in enumerate(views[rule.looks_at], 1)
        if _search(rule, line)
    ]
    if path.endswith(".h") and not _has_guard(path, text):
        found.append(Violation(path, 1, "the include guard is the path", _guard(path)))
    return found


def _search(rule, line):
    return rule.forbidden.match(line) if rule.looks_at == "includes" else rule.forbidden.search(line)


def _includes(text):
    """Returns the path that each line includes; empty for lines that include nothing."""
    pattern = re.compile(r'\s*(?:#\s*include|import(?: public)?)\s*["<]([^">]+)[">]')
    return [match[1] if (match := pattern.match(line)) else "" for line in text.splitlines()]


_TOKEN = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?P<raw>R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)")'
    r'|(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<character>(?<![0-9A-Fa-f])'(?:[^'\\\n]|\\.)+')", re.DOTALL)


def _split(text):
    """Returns the text's lines twice: with only code, and with only string literals.

    Marks of unfinished work count as code, even in comments.
    """
    def keep_lines(match):
        return "".join(c for c in match[0] if c == "\n")

    def code_of(match):
        marks = re.findall(r"\b(?:TODO|FIXME|XXX|HACK)\b", match[0]) if match["comment"] else []
        return " ".join(marks) + keep_lines(match)

    without_includes = re.sub(r"(?m)^[ \t]*#\s*include\b.*$", "", text)
    code = _TOKEN.sub(code_of, without_includes)
    literals = []
    end = 0
    for match in _TOKEN.finditer(text):
        literals.append("\n" * text.count("\n", end, match.start()))
        literals.append(match[0] if match["raw"] or match["string"] else keep_lines(match))
        end = match.end()
    return code.split("\n"), "".join(literals).split("\n")


def _guard(path):
    return "QUANTD_" + re.sub(r"[^A-Z0-9]", "_", path.upper()) + "_"


def _has_guard(path, text):
    guard = _guard(path)
    if path.endswith("-inl.h"):
        # These files are included once per SIMD target, with Highway's kind of guard.
        return "HWY_TARGET_TOGGLE" in text
    return f"#ifndef {guard}\n#define {guard}\n" in text
