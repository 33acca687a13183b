#!/usr/bin/env python3
"""Writes the dashboard, quantd.json: its panels and queries stand here, Grafana's form of them there.

    docker/grafana/make_dashboard.py > docker/grafana/quantd.json

tests/docker holds quantd.json to this, and asks a real Prometheus every query in it.
"""

import dataclasses
import json
import sys

# The servers that the dashboard's variables choose.
_CHOSEN = 'job=~"$job", instance=~"$instance"'
_UNARY = f'{_CHOSEN}, grpc_type="unary"'
_WINDOW = "[$__rate_interval]"
_GRID_COLUMNS = 24


@dataclasses.dataclass(frozen=True)
class Query:
    """A PromQL expression, and what its series are called."""

    expression: str
    legend: str = ""
    # "time_series", "heatmap" (buckets) or "table" (one row a series, now).
    form: str = "time_series"


@dataclasses.dataclass(frozen=True)
class Panel:
    """One graph. Widths are in columns of 24, heights in Grafana's rows."""

    title: str
    description: str
    queries: tuple
    # Grafana's name of the values' unit.
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    # Stacked, for parts of a whole.
    stacked: bool = False


def _rate(series, by, labels=_CHOSEN):
    return f"sum by ({by}) (rate({series}{{{labels}}}{_WINDOW}))"


def _quantile(share, histogram, labels, by=""):
    return f"histogram_quantile({share}, {_rate(histogram + '_bucket', 'le' + by, labels)})"


_PERCENTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999))

ROWS = (
    ("Now", (
        Panel("Servers", "Servers that Prometheus reaches, of those it knows.", (
            Query(f"sum(up{{{_CHOSEN}}})", "up"),
            Query(f"count(up{{{_CHOSEN}}})", "known"),
        ), kind="stat", width=4, height=5),
        Panel("Calls a second", "Calls that were answered, whatever the code.", (
            Query(f"sum(rate(grpc_server_handled_total{{{_CHOSEN}}}{_WINDOW}))", "calls"),
        ), unit="reqps", kind="stat", width=4, height=5),
        Panel("Failed calls", "Share of calls that ended with another code than OK.", (
            Query(f'sum(rate(grpc_server_handled_total{{{_CHOSEN}, grpc_code!="OK"}}{_WINDOW})) / '
                  f"sum(rate(grpc_server_handled_total{{{_CHOSEN}}}{_WINDOW}))", "failed"),
        ), unit="percentunit", kind="stat", width=4, height=5),
        Panel("Build", "Version, revision and SIMD target of each server.", (
            Query(f"quantd_build_info{{{_CHOSEN}}}", form="table"),
        ), kind="table", width=8, height=5),
        Panel("Up since", "When each server started.", (
            Query(f"process_start_time_seconds{{{_CHOSEN}}} * 1000", "{{instance}}"),
        ), unit="dateTimeFromNow", kind="stat", width=4, height=5),
    )),
    ("Calls", (
        Panel("Calls by method", "Calls that were answered, a second.", (
            Query(_rate("grpc_server_handled_total", "grpc_method"), "{{grpc_method}}"),
        ), unit="reqps", stacked=True),
        Panel("Errors by method and code", "Calls that ended with another code than OK, a second.", (
            Query(_rate("grpc_server_handled_total", "grpc_method, grpc_code",
                        _CHOSEN + ', grpc_code!="OK"') + " > 0", "{{grpc_method}} {{grpc_code}}"),
        ), unit="reqps", stacked=True),
        Panel("Refused requests by reason", "Requests refused, a second, by the reason in their ErrorInfo.", (
            Query(_rate("quantd_rejected_requests_total", "reason") + " > 0", "{{reason}}"),
        ), unit="reqps", stacked=True),
        Panel("Time of unary calls", "How many calls took how long, from their arrival to their answer.", (
            Query(f"sum by (le) (increase(grpc_server_handling_seconds_bucket{{{_UNARY}}}{_WINDOW}))",
                  "{{le}}", form="heatmap"),
        ), unit="s", kind="heatmap"),
        Panel("Percentiles of unary calls", "Interpolated within the histogram's buckets.", tuple(
            Query(_quantile(share, "grpc_server_handling_seconds", _UNARY), name)
            for name, share in _PERCENTILES
        ), unit="s"),
        # Without a call it is NaN, which is not >= 0.
        Panel("p99 by method", "Of methods that are called. A stream lasts as long as its client wants.", (
            Query(_quantile(0.99, "grpc_server_handling_seconds", _CHOSEN, ", grpc_method") + " >= 0",
                  "{{grpc_method}}"),
        ), unit="s"),
        Panel("Messages", "Requests read and answers sent, a second: a stream is one call of many.", (
            Query(_rate("grpc_server_msg_received_total", "grpc_type"), "received, {{grpc_type}}"),
            Query(_rate("grpc_server_msg_sent_total", "grpc_type"), "sent, {{grpc_type}}"),
        ), unit="reqps", width=12),
        Panel("Calls that began", "Calls that have arrived, a second, by method.", (
            Query(_rate("grpc_server_started_total", "grpc_method"), "{{grpc_method}}"),
        ), unit="reqps", width=12),
    )),
    ("Tensors", (
        Panel("Elements", "Elements computed, a second.", (
            Query(_rate("quantd_elements_total", "operation"), "{{operation}}"),
        ), unit="short", stacked=True, width=6),
        Panel("Bytes", "Bytes of tensors that came in and went out, a second.", (
            Query(_rate("quantd_tensor_bytes_total", "direction, transport"),
                  "{{direction}}, {{transport}}"),
        ), unit="Bps", width=6),
        Panel("Kernel time", "Seconds in kernels, a second: how many processors compute.", (
            Query(_rate("quantd_kernel_seconds_sum", "operation"), "{{operation}}"),
            Query(f"sum(quantd_worker_threads{{{_CHOSEN}}})", "worker threads"),
        ), unit="short", width=6),
        Panel("Percentiles of a kernel run", "Time that computing took, without parsing and sending.", tuple(
            Query(_quantile(share, "quantd_kernel_seconds", _CHOSEN), name)
            for name, share in _PERCENTILES
        ), unit="s", width=6),
    )),
    ("Load and limits", (
        Panel("Requests in flight", "Requests that are being worked on; open streams among them.", (
            Query(f"quantd_in_flight_requests{{{_CHOSEN}}}", "{{instance}}"),
        )),
        Panel("Bytes in flight", "Bytes of the requests that are being worked on. Those that would exceed the "
              "limit, --max-in-flight-bytes, are refused with IN_FLIGHT_LIMIT.", (
            Query(f"quantd_in_flight_bytes{{{_CHOSEN}}}", "{{instance}}"),
            Query(f"quantd_max_in_flight_bytes{{{_CHOSEN}}}", "limit of {{instance}}"),
            Query(f"quantd_max_message_bytes{{{_CHOSEN}}}", "largest request of {{instance}}"),
        ), unit="bytes"),
        Panel("CPU", "Processors that each server keeps busy.", (
            Query(f"rate(process_cpu_seconds_total{{{_CHOSEN}}}{_WINDOW})", "{{instance}}"),
        )),
        Panel("Memory", "Resident memory.", (
            Query(f"process_resident_memory_bytes{{{_CHOSEN}}}", "{{instance}}"),
        ), unit="bytes", width=12),
        Panel("File descriptors", "Open ones: each connection takes one.", (
            Query(f"process_open_fds{{{_CHOSEN}}}", "{{instance}}"),
            Query(f"process_max_fds{{{_CHOSEN}}}", "limit of {{instance}}"),
        ), width=12),
    )),
)

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def _target(query, index):
    return {
        "refId": chr(ord("A") + index),
        "datasource": _DATASOURCE,
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
        "format": query.form,
        "instant": query.form == "table",
        "range": query.form != "table",
    }


def _options(panel):
    if panel.kind == "timeseries":
        return {"legend": {"displayMode": "list", "placement": "bottom"},
                "tooltip": {"mode": "multi", "sort": "desc"}}
    if panel.kind == "stat":
        return {"colorMode": "none", "graphMode": "area", "reduceOptions": {"calcs": ["lastNotNull"]}}
    if panel.kind == "heatmap":
        return {"calculate": False, "cellGap": 0, "color": {"mode": "scheme", "scheme": "Blues"},
                "yAxis": {"unit": panel.unit}, "tooltip": {"show": True}}
    return {"showHeader": True}


def _panel(panel, identifier, x, y):
    custom = {}
    if panel.kind == "timeseries":
        custom = {"fillOpacity": 10, "showPoints": "never",
                  "stacking": {"mode": "normal" if panel.stacked else "none"}}
    made = {
        "id": identifier,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": custom}, "overrides": []},
        "options": _options(panel),
        "targets": [_target(query, i) for i, query in enumerate(panel.queries)],
    }
    if panel.kind == "table":
        hidden = {name: True for name in ("Time", "Value", "__name__", "job")}
        made["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
    return made


def _panels():
    panels = []
    y = 0
    for title, row in ROWS:
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False,
                       "gridPos": {"x": 0, "y": y, "w": _GRID_COLUMNS, "h": 1}, "panels": []})
        y += 1
        x = height = 0
        for panel in row:
            if x + panel.width > _GRID_COLUMNS:
                x, y, height = 0, y + height, 0
            panels.append(_panel(panel, len(panels) + 1, x, y))
            x += panel.width
            height = max(height, panel.height)
        y += height
    return panels


def _variable(name, label, definition, all_value):
    """A choice among the values that `definition` finds; All is `all_value`, also where it finds none."""
    return {"name": name, "label": label, "type": "query", "datasource": _DATASOURCE,
            "definition": definition, "query": {"query": definition, "refId": name},
            "multi": True, "includeAll": True, "allValue": all_value,
            "current": {"text": "All", "value": "$__all"}, "refresh": 2, "sort": 1}


def make_dashboard():
    """The dashboard as Grafana reads it."""
    return {
        "uid": "quantd",
        "title": "quantd",
        "description": "TensorFlow's fake quantization as a gRPC service.",
        "tags": ["quantd", "grpc"],
        "schemaVersion": 38,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-15m", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
             "current": {}},
            # A server that is down has no series but `up`, and is still to be seen.
            _variable("job", "Job", "label_values(quantd_build_info, job)", "quantd"),
            _variable("instance", "Instance", 'label_values(up{job=~"$job"}, instance)', ".+"),
        ]},
        "panels": _panels(),
    }


if __name__ == "__main__":
    json.dump(make_dashboard(), sys.stdout, indent=2)
    sys.stdout.write("\n")
