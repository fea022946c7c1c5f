"""Where the logistic map settles: work that takes a while, and knows nothing of Bokeh."""

from dataclasses import dataclass

import numpy as np

from app_server.jobs import progress

ROWS = 480
SETTLING = 400  # steps that are not counted, because an orbit has not settled yet


@dataclass(frozen=True)
class Diagram:
    """How often x -> r x (1 - x) comes to each of ROWS heights, as shades, for r from low to high."""

    low: float
    high: float
    shades: np.ndarray


def diagram(low: float, high: float, columns: int, steps: int) -> Diagram:
    """Return the diagram of this part, with so many columns of so many steps.

    A column is one r, and is reported when it is done. Each has its own start, so no two columns share an accident.
    """
    image = np.zeros((ROWS, columns), dtype=np.uint8)
    for column, r in enumerate(np.linspace(low, high, columns)):
        x = np.linspace(0.05, 0.95, 64) + 1e-3 * column / columns
        for _ in range(SETTLING):
            x = r * x * (1 - x)
        visits = np.zeros(ROWS)
        for _ in range(steps):
            x = r * x * (1 - x)
            visits += np.bincount(np.clip(x * ROWS, 0, ROWS - 1).astype(int), minlength=ROWS)
        image[:, column] = 255 * np.sqrt(visits / visits.max())
        progress((column + 1) / columns, f"column {column + 1} of {columns}")
    return Diagram(low, high, image)
