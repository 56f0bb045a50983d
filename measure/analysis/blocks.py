"""A run as one-second blocks that can be drawn again: what would its figures have been, by chance?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from measure.analysis.gates import DELIVERED_SHARE, ERROR_RATE
from measure.analysis.samples import TIERS, Samples, part

_DRAWS = 1000
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}
# Bins of 2 % from a microsecond to 100 s: the draws need counts per bin and second, not every single time.
_EDGES = np.concatenate([[-np.inf], np.geomspace(0.001, 100_000, 931)])
_MIDDLES = np.concatenate([[0.0], np.sqrt(_EDGES[1:-1] * _EDGES[2:]), [_EDGES[-1]]])

Counts = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Counts per second (rows).

    Attributes:
        histograms: by part, the requests in each bin of time.
        errors: requests without the right answer.
        sent: requests.
    """

    histograms: dict[str, Counts]
    errors: Counts
    sent: Counts

    @classmethod
    def of(cls, samples: Samples) -> Blocks:
        """Return the blocks of a run, by the second in which requests were due."""
        second = (samples["due"] / 1000).astype(np.int64)
        rows = int(second.max()) + 1 if len(second) else 0
        return cls(
            histograms={name: _histogram(part(samples, name), second, rows) for name in ("total", *TIERS)},
            errors=np.bincount(second[samples["good"] == 0], minlength=rows).astype(np.float32),
            sent=np.bincount(second, minlength=rows).astype(np.float32),
        )

    @classmethod
    def together(cls, blocks: list[Blocks]) -> Blocks:
        """Return the blocks of several runs as those of one."""
        return cls(
            histograms={name: np.concatenate([one.histograms[name] for one in blocks]) for name in ("total", *TIERS)},
            errors=np.concatenate([one.errors for one in blocks]),
            sent=np.concatenate([one.sent for one in blocks]),
        )

    def draw(self, random: np.random.Generator) -> dict[str, npt.NDArray[np.float64]]:
        """Return what each figure is in many runs made of these seconds, drawn with repetition."""
        rows = len(self.sent)
        if not rows:
            return {}
        drawn = random.multinomial(rows, np.full(rows, 1 / rows), size=_DRAWS).astype(np.float32)
        sent = np.maximum(drawn @ self.sent, 1.0)
        figures: dict[str, npt.NDArray[np.float64]] = {
            ERROR_RATE: (drawn @ self.errors / sent).astype(np.float64),
            # By the second nothing is known of what was not sent: its share is what it is.
            DELIVERED_SHARE: np.zeros(_DRAWS),
        }
        for name, histogram in self.histograms.items():
            below = np.cumsum(drawn @ histogram, axis=1)
            if below[:, -1].all():
                figures |= {
                    f"{name} {label}": _MIDDLES[np.argmax(below >= quantile * below[:, -1:], axis=1)]
                    for label, quantile in _QUANTILES.items()
                }
        return figures


def _histogram(times: npt.NDArray[np.float64], second: npt.NDArray[np.int64], rows: int) -> Counts:
    known = ~np.isnan(times)
    bins = np.searchsorted(_EDGES[1:], times[known], side="right")
    flat = np.bincount(second[known] * len(_MIDDLES) + bins, minlength=rows * len(_MIDDLES))
    return flat.reshape(rows, len(_MIDDLES)).astype(np.float32)
