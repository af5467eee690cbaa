"""The reconciliation as a chart."""

import sys
from xml.etree.ElementTree import Element

import pygal
from pygal.style import Style

from storefront.erp.reconcile import Report

# pygal hangs a finder for its maps into the import system that lacks what Python asks of one since 3.4.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != pygal.__name__]

FONT = "Inter, -apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
SHOP, ERP, LINE = "#c8471f", "#4378ad", "rgba(141, 130, 115, 0.45)"  # as in ops.css; for light and for dark
DARK = "@media (prefers-color-scheme: dark) { text { fill: #f5f0e9 !important } }"
MOST_LABELS = 10


def chart(report: Report) -> str:
    """Units per day in the shop and in the ERP, as an SVG without scripts."""
    days = report.days()
    bars = pygal.Bar(
        js=[], width=960, height=320, margin=8, spacing=24, show_legend=False,
        show_minor_x_labels=False, print_values=False, min_scale=3, max_scale=6, style=_style(),
        disable_xml_declaration=True, css=["file://style.css", "file://graph.css", f"inline:{DARK}"], rounded_bars=3,
    )  # fmt: skip
    bars.x_labels = [day or "no day" for day in days]
    bars.x_labels_major = bars.x_labels[:: max(1, -(-len(days) // MOST_LABELS))]
    bars.value_formatter = lambda units: f"{units:,.0f}"
    bars.add("Shop", [pair.shop.units for pair in days.values()])
    bars.add("ERP", [pair.erp.units for pair in days.values()])
    bars.add_xml_filter(_without_scripts)
    return bars.render()


def _style() -> Style:
    text = {"foreground": "#635a4e", "foreground_strong": "#1f1a15", "foreground_subtle": "#ded5c8"}
    sizes = {"label_font_size": 15, "major_label_font_size": 15}
    return Style(
        background="transparent", plot_background="transparent", colors=(SHOP, ERP), font_family=FONT, opacity="1",
        guide_stroke_dasharray="0", major_guide_stroke_dasharray="0", guide_stroke_color=LINE,
        major_guide_stroke_color=LINE, **text, **sizes,
    )  # fmt: skip


def _without_scripts(root: Element) -> Element:
    """pygal writes its configuration for its own JavaScript into the picture, which runs none."""
    for parent in root.iter():
        for child in parent.findall("script"):
            parent.remove(child)
    return root
