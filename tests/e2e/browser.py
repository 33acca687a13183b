"""Headless Chromium, as far as tests of pages need it, over the DevTools protocol.

    /usr/bin/python3 tests/e2e/browser.py PAGE PNG [WIDTH]

takes a screenshot of a page.
"""

import base64
import json
import os
import pathlib
import selectors
import subprocess
import sys
import tempfile
import time

CHROMIUM = "/usr/bin/chromium"
DEADLINE_SECONDS = 60

_FLAGS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--hide-scrollbars", "--remote-debugging-pipe",
)
# Where Chromium reads commands, and where it writes answers and events.
_COMMANDS_DESCRIPTOR, _ANSWERS_DESCRIPTOR = 3, 4


class Browser:
    """A running Chromium with a profile of its own. Use it as a context manager."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="chromium-",
                                                      ignore_cleanup_errors=True)
        self._log_path = pathlib.Path(self._directory.name, "log")
        command_read, self._commands = os.pipe()
        self._answers, answer_write = os.pipe()
        os.set_blocking(self._answers, False)
        sandbox = () if os.getuid() else ("--no-sandbox",)
        # The shell gives the pipes the numbers that Chromium expects.
        script = (f'exec "$@" {_COMMANDS_DESCRIPTOR}<&{command_read} '
                  f'{_ANSWERS_DESCRIPTOR}>&{answer_write}')
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", script, "bash", CHROMIUM, *_FLAGS, *sandbox,
                 f"--user-data-dir={self._directory.name}/profile", "about:blank"],
                pass_fds=(command_read, answer_write), stdout=log, stderr=log,
                start_new_session=True)
        os.close(command_read)
        os.close(answer_write)
        self._received = b""
        self._last_command = 0
        self._pages = {}

    def open(self, page, width=1280, height=900):
        """Opens a URL or a file; returns the Page when it is loaded."""
        url = page if "://" in str(page) else pathlib.Path(page).resolve().as_uri()
        target = self.call("Target.createTarget", url="about:blank")
        session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        opened = Page(self, session["sessionId"])
        self._pages[session["sessionId"]] = opened
        opened.load(url, width, height)
        return opened

    def call(self, method, session=None, **parameters):
        """Makes one call of the protocol; returns its result."""
        self._last_command += 1
        number = self._last_command
        command = {"id": number, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        answer = self.wait_for(lambda message: message.get("id") == number, method)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def wait_for(self, condition, what):
        """Takes messages until `condition` holds for one, and returns that."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            message = self._read_message(deadline, what)
            page = self._pages.get(message.get("sessionId"))
            if page is not None and "method" in message:
                page.take_note(message["method"], message["params"])
            if condition(message):
                return message

    def _read_message(self, deadline, what):
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while b"\0" not in self._received:
                part = (os.read(self._answers, 65536)
                        if selector.select(max(deadline - time.monotonic(), 0)) else b"")
                if not part:
                    log = self._log_path.read_text(encoding="utf-8", errors="replace")
                    raise RuntimeError(f"Chromium did not answer {what}; it wrote:\n{log}")
                self._received += part
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)

    def __enter__(self):
        return self

    def __exit__(self, exception_type, exception, traceback):
        # Chromium ends when nobody commands it any more.
        os.close(self._commands)
        try:
            self._process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)
        self._directory.cleanup()


class Page:
    """A page that is open. `console` has what it complained of, `requests` the URLs it asked for."""

    def __init__(self, browser, session):
        self._browser = browser
        self._session = session
        self.console = []
        self.requests = []

    def load(self, url, width, height):
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                   deviceScaleFactor=1, mobile=False)
        loaded = self._call("Page.navigate", url=url)
        if "errorText" in loaded:
            raise RuntimeError(f"{url} cannot be opened: {loaded['errorText']}")
        self._browser.wait_for(
            lambda message: message.get("method") == "Page.loadEventFired"
            and message.get("sessionId") == self._session, f"that {url} is loaded")

    def take_note(self, event, parameters):
        """Keeps what the page's console and network had to say."""
        if event == "Runtime.consoleAPICalled":
            texts = [str(argument.get("value", argument.get("description")))
                     for argument in parameters["args"]]
            self.console.append(f"{parameters['type']}: {' '.join(texts)}")
        elif event == "Runtime.exceptionThrown":
            self.console.append(f"exception: {_describe(parameters['exceptionDetails'])}")
        elif event == "Log.entryAdded":
            self.console.append(f"{parameters['entry']['level']}: {parameters['entry']['text']}")
        elif event == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def evaluate(self, expression):
        """The value of a JavaScript expression."""
        result = self._call("Runtime.evaluate", expression=expression, returnByValue=True,
                            awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(_describe(result["exceptionDetails"]))
        return result["result"].get("value")

    def screenshot(self, path, dark=False):
        """Writes the whole page to a PNG file."""
        self._call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        image = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        pathlib.Path(path).write_bytes(base64.b64decode(image["data"]))

    def _call(self, method, **parameters):
        return self._browser.call(method, self._session, **parameters)


def _describe(details):
    return details.get("exception", {}).get("description", details["text"])


def main(arguments):
    if not 2 <= len(arguments) <= 3:
        print(__doc__, file=sys.stderr)
        return 2
    page, png, *width = arguments
    with Browser() as chromium:
        chromium.open(page, width=int(*width or (1280,))).screenshot(png)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
