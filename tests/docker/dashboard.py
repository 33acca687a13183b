"""Prepares the queries of Grafana's dashboard in the same way as Grafana."""

import json
import os
import pathlib

GRAFANA = pathlib.Path(os.environ["QUANTD_SOURCE_DIR"], "docker", "grafana")
FILE = GRAFANA / "quantd.json"


class Dashboard:
    """The dashboard in docker/grafana/quantd.json, with all servers selected."""

    def __init__(self, rate_interval):
        """`rate_interval` replaces Grafana's $__rate_interval, such as "10s"."""
        dashboard = json.loads(FILE.read_text(encoding="utf-8"))
        self.variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]
                          if variable["type"] == "query"}
        self._panels = {panel["title"]: panel for panel in dashboard["panels"] if panel["type"] != "row"}
        self._values = {"$__rate_interval": rate_interval} | {
            "$" + name: variable["allValue"] for name, variable in self.variables.items()}

    @property
    def titles(self):
        """The titles of all panels that show something."""
        return list(self._panels)

    def queries_of(self, title):
        """Yields the expressions of a panel, ready for Prometheus."""
        for target in self._panels[title]["targets"]:
            expression = target["expr"]
            for variable, value in self._values.items():
                expression = expression.replace(variable, value)
            yield expression
