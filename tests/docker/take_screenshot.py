"""Takes docs/images/prometheus.png: Prometheus' own graphs of the dashboard's main panels under load.

    /usr/bin/python3 tests/docker/take_screenshot.py PNG

This needs the environment of the tests in this folder, which ctest -V -R docker.dashboard shows.
"""

import subprocess
import sys
import urllib.parse

import browser
import dashboard
import prometheus_process
import quantd_process

# The panels to show, each with the index of one of its queries.
GRAPHS = (("Calls by method", 0), ("Percentiles of unary calls", 2), ("Bytes", 0), ("Kernel time", 0))
RATE_INTERVAL = "10s"
# The load rises and falls, so that the graphs have something to show.
LOADS = (
    ("--rate", "300", "--mix", "90:4KiB,9:1MiB,1:8MiB", "--arrivals", "poisson"),
    ("--rate", "900", "--mix", "90:4KiB,9:1MiB,1:8MiB", "--arrivals", "poisson"),
    ("--rate", "400", "--method", "gradient", "--shape", "65536"),
    ("--rate", "300", "--mix", "90:4KiB,9:1MiB,1:8MiB", "--arrivals", "poisson"),
)
LOAD_SECONDS = 25
SHOWN = f"{LOAD_SECONDS * len(LOADS) + 10}s"


def graph_page(address):
    """Returns the address of the page with one graph per query."""
    shown = dashboard.Dashboard(RATE_INTERVAL)
    parameters = {}
    for number, (title, query) in enumerate(GRAPHS):
        expression = list(shown.queries_of(title))[query]
        parameters |= {f"g{number}.expr": expression, f"g{number}.tab": "0",
                       f"g{number}.range_input": SHOWN, f"g{number}.step_input": "1"}
    return f"http://{address}/classic/graph?{urllib.parse.urlencode(parameters)}"


def main(picture):
    with quantd_process.Quantd() as quantd, \
            prometheus_process.Prometheus(quantd.metrics_address) as prometheus:
        for load in LOADS:
            subprocess.run([quantd_process.QUANTCTL, "--server", quantd.address, "bench",
                            "--duration", f"{LOAD_SECONDS}s", "--warmup", "0s", *load],
                           env=quantd_process.clean_environment(), check=True, stdout=subprocess.DEVNULL)
        with browser.Browser() as chromium:
            page = chromium.open(graph_page(prometheus.address), width=1000)
            drawn = "document.querySelectorAll('.rickshaw_graph svg path').length"
            quantd_process.wait_until(lambda: page.evaluate(drawn) >= len(GRAPHS), "all graphs")
            # The page is scrolled to the last graph, which has the cursor, and the menu would cover a part
            # of it.
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
