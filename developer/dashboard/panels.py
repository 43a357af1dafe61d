"""How the kinds of panel look here, on the builders of grafana-foundation-sdk."""

from string import ascii_uppercase
from typing import TypeVar

from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.statetimeline import Panel as StateTimeline
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models.dashboard import (
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import QueryEditorMode

Panel = Stat | TimeSeries | StateTimeline
Kind = TypeVar("Kind", Stat, TimeSeries, StateTimeline)

PROMETHEUS = common.DataSourceRef(type_val="prometheus", uid="prometheus")
BY_THRESHOLD = FieldColor().mode(FieldColorModeId.THRESHOLDS)


def query(expression: str, legend: str) -> Dataquery:
    """A PromQL expression and what its series are called."""
    return (
        Dataquery()
        .expr(" ".join(expression.split()))
        .legend_format(legend)
        .datasource(PROMETHEUS)
        .editor_mode(QueryEditorMode.CODE)
        .range()
    )


def thresholds(*steps: tuple[str, float], first: str = "green") -> list[Threshold]:
    """A colour, and from each value on another: ("orange", 60), ("red", 300)."""
    return [Threshold(color=first), *(Threshold(value, color) for color, value in steps)]


GREEN = thresholds()


def stat(
    title: str,
    description: str,
    expression: str,
    unit: str = units.NoUnit,
    steps: list[Threshold] = GREEN,
) -> Stat:
    """One figure, coloured by its thresholds."""
    panel = _panel(Stat(), title, description, [query(expression, "")], unit, steps)
    return (
        panel.height(4)
        .span(4)
        .decimals(0)
        .color_scheme(BY_THRESHOLD)
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
    )


def names(title: str, description: str, target: Dataquery) -> Stat:
    """A figure for each series, with its name."""
    panel = stat(title, description, "").targets([target.ref_id("A")]).height(8).span(8)
    return panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME)


def graph(
    title: str,
    description: str,
    targets: list[Dataquery],
    unit: str = units.Short,
    steps: list[Threshold] = GREEN,
    stack: bool = False,
) -> TimeSeries:
    """Lines over time; a line across where a threshold is."""
    across = common.GraphThresholdsStyleMode
    stacking = common.StackingMode.NORMAL if stack else common.StackingMode.NONE
    return (
        _panel(TimeSeries(), title, description, targets, unit, steps)
        .min(0)
        .color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .draw_style(common.GraphDrawStyle.LINE)
        .fill_opacity(30 if stack else 10)
        .line_width(1)
        .show_points(common.VisibilityMode.NEVER)
        .span_nulls(False)
        .stacking(StackingConfig().group("A").mode(stacking))
        .thresholds_style(
            GraphThresholdsStyleConfig().mode(across.LINE if len(steps) > 1 else across.OFF)
        )
        .legend(
            VizLegendOptions()
            .calcs(["lastNotNull", "max"])
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
    )


def timeline(
    title: str, description: str, target: Dataquery, texts: list[str], steps: list[Threshold]
) -> StateTimeline:
    """What a figure meant over time: a text and a colour for each value."""
    meanings = {
        str(value): ValueMappingResult(text, index=value) for value, text in enumerate(texts)
    }
    return (
        _panel(StateTimeline(), title, description, [target], units.NoUnit, steps)
        .mappings([ValueMap(meanings)])
        .color_scheme(BY_THRESHOLD)
        .show_value(common.VisibilityMode.NEVER)
        .legend(VizLegendOptions().show_legend(False))
        .fill_opacity(70)
        .line_width(0)
        .tooltip(
            VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE).sort(common.SortOrder.NONE)
        )
    )


def _panel(
    panel: Kind,
    title: str,
    description: str,
    targets: list[Dataquery],
    unit: str,
    steps: list[Threshold],
) -> Kind:
    """What every panel has."""
    return (
        panel.title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .targets([target.ref_id(letter) for target, letter in zip(targets, ascii_uppercase)])
        .unit(unit)
        .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .height(8)
        .span(8)
    )
