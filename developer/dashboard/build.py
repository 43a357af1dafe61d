"""What panels of a Grafana dashboard are made of, as plain JSON."""

DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
WIDTH = 24  # columns of the grid


def query(expression, legend):
    """A PromQL expression and what its series are called."""
    return {"expr": " ".join(expression.split()), "legendFormat": legend}


def thresholds(*steps, first="green"):
    """A colour, and from each value on another: ("orange", 60), ("red", 300)."""
    above = [{"color": color, "value": value} for color, value in steps]
    return [{"color": first, "value": None}, *above]


GREEN = thresholds()


def stat(title, description, expression, unit="none", steps=GREEN, decimals=0):
    """One figure, coloured by its thresholds."""
    return {
        "title": title,
        "description": description,
        "type": "stat",
        "targets": [query(expression, "")],
        "width": 4,
        "height": 4,
        "defaults": {"unit": unit, "decimals": decimals, "thresholds": steps},
        "color": {"mode": "thresholds"},
        "options": {
            "colorMode": "background",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showPercentChange": False,
            "textMode": "auto",
            "wideLayout": True,
        },
    }


def names(title, description, target, steps=GREEN):
    """A figure for each series, with its name."""
    panel = stat(title, description, "", steps=steps)
    panel["options"]["textMode"] = "value_and_name"
    return {**panel, "targets": [target], "width": 8, "height": 8}


def graph(title, description, targets, unit="short", steps=GREEN, stack=False):
    """Lines over time; a line across where a threshold is."""
    return {
        "title": title,
        "description": description,
        "type": "timeseries",
        "targets": targets,
        "width": 8,
        "height": 8,
        "defaults": {
            "unit": unit,
            "min": 0,
            "thresholds": steps,
            "custom": {
                "drawStyle": "line",
                "fillOpacity": 30 if stack else 10,
                "lineWidth": 1,
                "showPoints": "never",
                "spanNulls": False,
                "stacking": {"group": "A", "mode": "normal" if stack else "none"},
                "thresholdsStyle": {"mode": "line" if len(steps) > 1 else "off"},
            },
        },
        "color": {"mode": "palette-classic"},
        "options": {
            "legend": {
                "calcs": ["lastNotNull", "max"],
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": True,
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def timeline(title, description, target, texts, steps):
    """What a figure meant over time: a text and a colour for each value."""
    mapping = {str(value): {"index": value, "text": text} for value, text in enumerate(texts)}
    return {
        "title": title,
        "description": description,
        "type": "state-timeline",
        "targets": [target],
        "width": 8,
        "height": 8,
        "defaults": {
            "unit": "none",
            "thresholds": steps,
            "mappings": [{"type": "value", "options": mapping}],
            "custom": {"fillOpacity": 70, "lineWidth": 0},
        },
        "color": {"mode": "thresholds"},
        "options": {
            "alignValue": "left",
            "legend": {
                "calcs": [],
                "displayMode": "list",
                "placement": "bottom",
                "showLegend": False,
            },
            "mergeValues": True,
            "rowHeight": 0.9,
            "showValue": "never",
            "tooltip": {"mode": "single", "sort": "none"},
        },
    }


def variable(name, label, values, description):
    """A choice of the values of a label, several at once; all at first."""
    return {
        "name": name,
        "label": label,
        "description": description,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"qryType": 1, "query": values, "refId": f"variable-{name}"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def dashboard(uid, title, description, variables, rows):
    """Rows of panels, laid out from left to right and from top to bottom."""
    panels = []
    y = 0
    for heading, of_row in rows:
        place = {"h": 1, "w": WIDTH, "x": 0, "y": y}
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": heading,
                "collapsed": False,
                "gridPos": place,
                "panels": [],
            }
        )
        y += 1
        x = 0
        for panel in of_row:
            if x + panel["width"] > WIDTH:
                x = 0
                y += panel["height"]
            place = {"h": panel["height"], "w": panel["width"], "x": x, "y": y}
            panels.append(_panel(panel, len(panels) + 1, place))
            x += panel["width"]
        y += of_row[-1]["height"]
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["billing"],
        "timezone": "browser",
        "editable": False,
        "graphTooltip": 1,
        "schemaVersion": 41,
        "version": 1,
        "time": {"from": "now-30m", "to": "now"},
        "refresh": "10s",
        "templating": {"list": variables},
        "annotations": {
            "list": [
                {
                    "name": "Alerts",
                    "datasource": DATASOURCE,
                    "enable": True,
                    "hide": False,
                    "iconColor": "red",
                    "target": {"refId": "Anno", "expr": 'ALERTS{alertstate="firing"}'},
                    "titleFormat": "{{alertname}}",
                }
            ]
        },
        "panels": panels,
    }


def _panel(panel, number, place):
    defaults = {"color": panel["color"], **panel["defaults"]}
    defaults["thresholds"] = {"mode": "absolute", "steps": defaults["thresholds"]}
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": DATASOURCE,
            "editorMode": "code",
            "range": True,
            **target,
        }
        for index, target in enumerate(panel["targets"])
    ]
    return {
        "id": number,
        "type": panel["type"],
        "title": panel["title"],
        "description": panel["description"],
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": panel["options"],
        "targets": targets,
    }
