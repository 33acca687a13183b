"""Runs headless Chromium with a new profile each time, and records what pages do.

    /usr/bin/python3 tests/e2e/browser.py PAGE PNG [--width N]

takes a screenshot of a page. This only needs Debian's chromium and Python's standard library.
"""

import argparse
import base64
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

CHROMIUM = "/usr/bin/chromium"

# The time limit for all operations.
DEADLINE_SECONDS = 60

_FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--hide-scrollbars",
    "--disable-gpu", "--disable-quic", "--disable-sync", "--disable-background-networking",
    "--disable-component-update", "--disable-dev-shm-usage",
)


class Browser:
    """A running Chromium. As a context manager, it ends and removes its files on exit."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="chromium-",
                                                      ignore_cleanup_errors=True)
        directory = self._directory.name
        self._log_path = pathlib.Path(directory, "log")
        self._received = bytearray()
        self._calls = 0
        self._answers = {}
        self._pages = {}
        flags = [*_FLAGS, f"--user-data-dir={directory}/profile"]
        if os.getuid() == 0:
            flags.append("--no-sandbox")  # Chromium refuses to run as root with one.
        self._connection, theirs = socket.socketpair()
        with theirs, open(self._log_path, "wb") as log:
            # Chromium reads commands from descriptor 3 and writes to 4. The environment is minimal, so
            # that pages look the same on all machines.
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", 'exec "$@" 3<&0 4>&0 </dev/null', "sh", CHROMIUM, *flags],
                env={"PATH": os.defpath, "HOME": directory, "TMPDIR": directory},
                cwd=directory, stdin=theirs, stdout=log, stderr=log, start_new_session=True,
            )

    @property
    def log(self):
        """What Chromium has written to stderr so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def open(self, page, width=1280, height=900):
        """Opens a URL or a file, and returns the Page when it is loaded and was drawn once."""
        url = str(page) if "://" in str(page) else pathlib.Path(page).resolve().as_uri()
        # Uses a new window, because tabs in the background are never drawn.
        target = self.call("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        opened = self._pages[session] = Page(self, session)
        opened.load(url, width, height)
        return opened

    def call(self, method, session=None, **parameters):
        """Makes one call of the DevTools protocol, to a page's session or to all of Chromium."""
        self._calls += 1
        number = self._calls
        command = {"id": number, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        try:
            self._connection.settimeout(DEADLINE_SECONDS)
            self._connection.sendall(json.dumps(command).encode() + b"\0")
        except OSError as error:
            raise self._failure(f"did not take {method} ({error})") from error
        self.wait_until(lambda: number in self._answers, f"an answer to {method}")
        answer = self._answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def wait_until(self, condition, what):
        """Processes messages from Chromium until `condition` holds."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            message = self._read_message(deadline, what)
            if "id" in message:
                self._answers[message["id"]] = message
            elif page := self._pages.get(message.get("sessionId")):
                page.take_note(message["method"], message["params"])

    def _read_message(self, deadline, what):
        while (end := self._received.find(b"\0")) < 0:
            try:
                self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
                part = self._connection.recv(1 << 20)
            except TimeoutError:
                raise self._failure(f"is silent: waited {DEADLINE_SECONDS} s for {what}") from None
            except ConnectionError:
                part = b""
            if not part:
                raise self._failure(f"ended before {what}")
            self._received += part
        message = json.loads(self._received[:end])
        del self._received[:end + 1]
        return message

    def _failure(self, what):
        return RuntimeError(f"Chromium {what}; it wrote:\n{self.log}")

    def close(self):
        """Ends Chromium with all of its processes."""
        self._connection.close()  # Chromium ends when its connection is closed.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(DEADLINE_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._directory.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, exception_type, exception, traceback):
        self.close()


class Page:
    """An open page.

    `console` contains what scripts or Chromium wrote to the console, each as "LEVEL: TEXT", and
    uncaught exceptions as "exception: TEXT". `requests` contains the requested URLs. The page's own URL
    comes first; that of an icon may come at any time. Requests from workers and from frames of other
    sites are missing. Both lists grow while the page is being loaded or evaluates an expression.
    """

    def __init__(self, browser, session):
        self._browser = browser
        self._session = session
        self._loaded = set()
        self.console = []
        self.requests = []

    def load(self, url, width, height):
        """Loads a URL in a window of this size, in CSS pixels."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call("Page.setLifecycleEventsEnabled", enabled=True)
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                   deviceScaleFactor=1, mobile=False)
        navigation = self._call("Page.navigate", url=url)
        if "errorText" in navigation:
            raise RuntimeError(f"{url} cannot be opened: {navigation['errorText']}")
        # Page.loadEventFired is not sufficient, because it may come from the empty page before.
        self._browser.wait_until(lambda: navigation["loaderId"] in self._loaded,
                                 f"{url} to be loaded")
        # Errors may be reported only after loading, or may occur when charts are drawn.
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")

    def take_note(self, event, parameters):
        """Records events about the console, the network and the state of the page."""
        if event == "Runtime.consoleAPICalled":
            texts = [_text(value) for value in parameters["args"]]
            self.console.append(f"{parameters['type']}: {' '.join(texts)}")
        elif event == "Runtime.exceptionThrown":
            self.console.append(f"exception: {_thrown(parameters['exceptionDetails'])}")
        elif event == "Log.entryAdded":
            entry = parameters["entry"]
            where = f" ({entry['url']})" if "url" in entry else ""
            self.console.append(f"{entry['level']}: {entry['text']}{where}")
        elif event == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif event == "Page.lifecycleEvent" and parameters["name"] == "load":
            self._loaded.add(parameters["loaderId"])

    def evaluate(self, expression):
        """Returns the value of a JavaScript expression (or of its promise), converted from JSON.

        Raises a RuntimeError with the text of the exception if the expression throws one.
        """
        result = self._call("Runtime.evaluate", expression=expression, returnByValue=True,
                            awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(_thrown(result["exceptionDetails"]))
        return result["result"].get("value")

    def screenshot(self, path, dark=False):
        """Writes the whole page to a PNG file, in light or dark mode."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        image = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        self._call("Emulation.setEmulatedMedia", features=[])
        pathlib.Path(path).write_bytes(base64.b64decode(image["data"]))

    def _call(self, method, **parameters):
        return self._browser.call(method, self._session, **parameters)


def _text(value):
    """Formats a JavaScript value (the protocol's RemoteObject) like a console."""
    if value["type"] == "string":
        return value["value"]
    if "value" in value:
        return json.dumps(value["value"])
    return value.get("description", value["type"])


def _thrown(details):
    """Formats what was thrown; for errors, this includes the location."""
    if "exception" in details:
        return _text(details["exception"])
    return details["text"]


def main():
    parser = argparse.ArgumentParser(description="Takes a screenshot of a page.")
    parser.add_argument("page", help="a URL or an HTML file")
    parser.add_argument("png", help="the file to write")
    parser.add_argument("--width", type=int, default=1280, help="width of the window, in CSS pixels")
    arguments = parser.parse_args()
    with Browser() as chromium:
        chromium.open(arguments.page, arguments.width).screenshot(arguments.png)


if __name__ == "__main__":
    sys.exit(main())
