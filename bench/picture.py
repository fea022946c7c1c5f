"""The ratios of a run as a picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib

from bench.goals import Row

PAPER, INK, FAINT = "#fbfbf8", "#22303a", "#c9d0d4"
LABEL_REACH = 1.7  # the bar's length is multiplied by up to this for its label, on this scale
BETTER, WORSE, GOAL = "#1f7a8c", "#c8553d", "#e0a030"


def draw(table: list[Row], path: Path) -> None:
    """Write an SVG of one bar for each ratio, on a logarithmic scale, with a mark at the goal.

    The picture has its own background, so it looks the same on light and dark pages.
    """
    matplotlib.use("svg")
    from matplotlib import pyplot

    shown = [(row.goal, row.times_better) for row in reversed(table) if row.times_better is not None]
    # Text stays text, and the ids depend only on the figures.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.family": "sans-serif"})
    figure, axes = pyplot.subplots(figsize=(8.6, 0.9 + 0.3 * len(shown)), facecolor=PAPER, layout="constrained")
    axes.set_facecolor(PAPER)
    for place, (goal, ratio) in enumerate(shown):
        axes.barh(place, ratio - 1, left=1, height=0.62, color=BETTER if ratio >= 1 else WORSE)
        near_goal = (
            goal.at_least_times if goal.at_least_times and 1 < goal.at_least_times / ratio < LABEL_REACH else 1.0
        )
        axes.text(max(ratio, near_goal, 1) * 1.08, place, f"{ratio:.3g}x", va="center", fontsize=9, color=INK)
        if goal.at_least_times is not None:
            axes.plot([goal.at_least_times] * 2, [place - 0.42, place + 0.42], color=GOAL, linewidth=2.4)
    axes.set_xscale("log")
    axes.set_xlim(min(0.5, *(0.8 * ratio for _, ratio in shown)), max(10.0, *(2.2 * ratio for _, ratio in shown)))
    axes.set_yticks(range(len(shown)), [goal.says for goal, _ in shown], fontsize=9, color=INK)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.axvline(1, color=INK, linewidth=1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    axes.tick_params(which="both", colors=INK, length=0)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title("Times better than bokeh serve (mark: the goal)", loc="left", fontsize=11, color=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None}, facecolor=PAPER)
    pyplot.close(figure)
