#!/usr/bin/env python3
"""Generates Grafana's dashboard, quantd.json, from the panels and queries in this file.

    docker/grafana/make_dashboard.py > docker/grafana/quantd.json

tests/docker checks that quantd.json is up to date, and runs every query against a real Prometheus.
"""

import dataclasses
import json
import sys

# Selects the servers that are chosen by the dashboard's variables.
_CHOSEN = 'job=~"$job", instance=~"$instance"'
_UNARY = f'{_CHOSEN}, grpc_type="unary"'
_WINDOW = "[$__rate_interval]"
_GRID_COLUMNS = 24


@dataclasses.dataclass(frozen=True)
class Query:
    """A PromQL expression, and the legend of its series."""

    expression: str
    legend: str = ""
    # "time_series", "heatmap" (buckets) or "table" (one row per series, latest value).
    form: str = "time_series"


@dataclasses.dataclass(frozen=True)
class Panel:
    """One graph. Widths are in columns of 24, heights in Grafana's rows."""

    title: str
    description: str
    queries: tuple
    # The unit of the values, as Grafana names it.
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    # Stacks the series, for parts of a whole.
    stacked: bool = False


def _rate(series, by, labels=_CHOSEN):
    return f"sum by ({by}) (rate({series}{{{labels}}}{_WINDOW}))"


def _quantile(share, histogram, labels, by=""):
    return f"histogram_quantile({share}, {_rate(histogram + '_bucket', 'le' + by, labels)})"


_PERCENTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999))

ROWS = (
    ("Now", (
        Panel("Servers", "Servers that Prometheus can scrape, and all of its targets.", (
            Query(f"sum(up{{{_CHOSEN}}})", "up"),
            Query(f"count(up{{{_CHOSEN}}})", "targets"),
        ), kind="stat", width=4, height=5),
        Panel("Calls per second", "Calls completed, with any code.", (
            Query(f"sum(rate(grpc_server_handled_total{{{_CHOSEN}}}{_WINDOW}))", "calls"),
        ), unit="reqps", kind="stat", width=4, height=5),
        Panel("Failed calls", "Share of calls that ended with a code other than OK.", (
            Query(f'sum(rate(grpc_server_handled_total{{{_CHOSEN}, grpc_code!="OK"}}{_WINDOW})) / '
                  f"sum(rate(grpc_server_handled_total{{{_CHOSEN}}}{_WINDOW}))", "failed"),
        ), unit="percentunit", kind="stat", width=4, height=5),
        Panel("Build", "Version, revision and SIMD target of each server.", (
            Query(f"quantd_build_info{{{_CHOSEN}}}", form="table"),
        ), kind="table", width=8, height=5),
        Panel("Up since", "Start time of each server.", (
            Query(f"process_start_time_seconds{{{_CHOSEN}}} * 1000", "{{instance}}"),
        ), unit="dateTimeFromNow", kind="stat", width=4, height=5),
    )),
    ("Calls", (
        Panel("Calls by method", "Calls completed per second.", (
            Query(_rate("grpc_server_handled_total", "grpc_method"), "{{grpc_method}}"),
        ), unit="reqps", stacked=True),
        Panel("Errors by method and code", "Calls per second that ended with a code other than OK.", (
            Query(_rate("grpc_server_handled_total", "grpc_method, grpc_code",
                        _CHOSEN + ', grpc_code!="OK"') + " > 0", "{{grpc_method}} {{grpc_code}}"),
        ), unit="reqps", stacked=True),
        Panel("Refused requests by reason", "Requests refused per second, by the reason in their ErrorInfo.", (
            Query(_rate("quantd_rejected_requests_total", "reason") + " > 0", "{{reason}}"),
        ), unit="reqps", stacked=True),
        Panel("Duration of unary calls", "Number of calls by the time from their arrival to their answer.", (
            Query(f"sum by (le) (increase(grpc_server_handling_seconds_bucket{{{_UNARY}}}{_WINDOW}))",
                  "{{le}}", form="heatmap"),
        ), unit="s", kind="heatmap"),
        Panel("Percentiles of unary calls", "Interpolated within the histogram's buckets.", tuple(
            Query(_quantile(share, "grpc_server_handling_seconds", _UNARY), name)
            for name, share in _PERCENTILES
        ), unit="s"),
        # Without calls the quantile is NaN, which ">= 0" filters out.
        Panel("p99 by method", "Only methods with calls. A stream lasts as long as its client wants.", (
            Query(_quantile(0.99, "grpc_server_handling_seconds", _CHOSEN, ", grpc_method") + " >= 0",
                  "{{grpc_method}}"),
        ), unit="s"),
        Panel("Messages", "Requests read and answers sent per second. A stream is one call with many.", (
            Query(_rate("grpc_server_msg_received_total", "grpc_type"), "received, {{grpc_type}}"),
            Query(_rate("grpc_server_msg_sent_total", "grpc_type"), "sent, {{grpc_type}}"),
        ), unit="reqps", width=12),
        Panel("Calls started", "Calls received per second, by method.", (
            Query(_rate("grpc_server_started_total", "grpc_method"), "{{grpc_method}}"),
        ), unit="reqps", width=12),
    )),
    ("Tensors", (
        Panel("Elements", "Elements computed per second.", (
            Query(_rate("quantd_elements_total", "operation"), "{{operation}}"),
        ), unit="short", stacked=True, width=6),
        Panel("Bytes", "Bytes of tensors received and returned per second.", (
            Query(_rate("quantd_tensor_bytes_total", "direction, transport"),
                  "{{direction}}, {{transport}}"),
        ), unit="Bps", width=6),
        Panel("Kernel time", "Seconds spent in kernels per second: the number of processors that compute.", (
            Query(_rate("quantd_kernel_seconds_sum", "operation"), "{{operation}}"),
            Query(f"sum(quantd_worker_threads{{{_CHOSEN}}})", "worker threads"),
        ), unit="short", width=6),
        Panel("Percentiles of a kernel run", "Time spent computing, without parsing and sending.", tuple(
            Query(_quantile(share, "quantd_kernel_seconds", _CHOSEN), name)
            for name, share in _PERCENTILES
        ), unit="s", width=6),
    )),
    ("Load and limits", (
        Panel("Requests in flight", "Calls in progress, including open streams.", (
            Query(f"quantd_in_flight_requests{{{_CHOSEN}}}", "{{instance}}"),
        )),
        Panel("Waiting requests", "Requests that wait for memory. Unary calls are refused with "
              "IN_FLIGHT_LIMIT after --max-wait.", (
            Query(f"quantd_waiting_requests{{{_CHOSEN}}}", "{{instance}}"),
        )),
        Panel("Bytes in flight", "Memory of requests and answers. Requests that would exceed the limit, "
              "--max-in-flight-bytes, wait.", (
            Query(f"quantd_in_flight_bytes{{{_CHOSEN}}}", "{{instance}}"),
            Query(f"quantd_max_in_flight_bytes{{{_CHOSEN}}}", "limit of {{instance}}"),
            Query(f"quantd_max_message_bytes{{{_CHOSEN}}}", "largest request of {{instance}}"),
        ), unit="bytes"),
        Panel("CPU", "Number of processors that each server uses.", (
            Query(f"rate(process_cpu_seconds_total{{{_CHOSEN}}}{_WINDOW})", "{{instance}}"),
        )),
        Panel("Memory", "Resident memory.", (
            Query(f"process_resident_memory_bytes{{{_CHOSEN}}}", "{{instance}}"),
            Query(f"quantd_memory_limit_bytes{{{_CHOSEN}}} > 0", "limit of {{instance}}"),
        ), unit="bytes"),
        Panel("Connections", "Open connections.", (
            Query(f"quantd_connections{{{_CHOSEN}}}", "{{instance}}"),
            Query(f"quantd_max_connections{{{_CHOSEN}}}", "limit of {{instance}}"),
        )),
        Panel("Connections that ended early", "Connections per second that were refused or broken off, by "
              "reason.", (
            Query(_rate("quantd_refused_connections_total", "reason"), "refused, {{reason}}"),
            Query(_rate("quantd_broken_off_connections_total", "reason"), "broken off, {{reason}}"),
        ), width=12),
        Panel("File descriptors", "Open file descriptors. Each connection uses one.", (
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
    """A choice among the values that `definition` finds. All means `all_value`, even if it finds none."""
    return {"name": name, "label": label, "type": "query", "datasource": _DATASOURCE,
            "definition": definition, "query": {"query": definition, "refId": name},
            "multi": True, "includeAll": True, "allValue": all_value,
            "current": {"text": "All", "value": "$__all"}, "refresh": 2, "sort": 1}


def make_dashboard():
    """Returns the dashboard in Grafana's format."""
    return {
        "uid": "quantd",
        "title": "quantd",
        "description": "Quantization of tensors with the arithmetic of a named framework, over gRPC.",
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
            # A server that is down has no series except `up`, and must still be selectable.
            _variable("job", "Job", "label_values(quantd_build_info, job)", "quantd"),
            _variable("instance", "Instance", 'label_values(up{job=~"$job"}, instance)', ".+"),
        ]},
        "panels": _panels(),
    }


if __name__ == "__main__":
    json.dump(make_dashboard(), sys.stdout, indent=2)
    sys.stdout.write("\n")
