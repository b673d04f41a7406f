"""MIDAS-F: edges of a stream of which suddenly more come than before.

Source: Bhatia, Liu, Hooi, Yoon, Shin and Faloutsos, Real-time streaming anomaly detection in dynamic graphs, TKDD 2022
(MIDAS-F). Edges join accounts to the values they use. For an edge and for both of its ends, the chi-squared statistic of
this tick's count against the mean of earlier ticks is taken; an edge scores the largest of the three. Counts decay by 0.5
a tick, and what scores 1,000 or more is not merged into the past (both the paper's defaults). An account scores the mean
or the largest of its edges.

Ours: written anew in numpy, with exact counts where the paper has sketches, and scored once a tick, with the count at its
end.
"""

import numpy as np

DECAY = 0.5
SCORE_MERGED_MAX = 1000
GRID = [
    {"kinds": kinds, "tick_minutes": minutes, "account": account}
    for kinds in (["block", "payment"], ["prefix8"], ["suffix4"], ["sketch"], ["block", "payment", "sketch"])
    for minutes in (10, 60)
    for account in ("mean", "max")
]


def score(traffic, kinds, tick_minutes, account):
    total = np.zeros(len(traffic.accounts))
    edges = np.zeros(len(traffic.accounts))
    for kind in kinds:
        rows, codes = traffic.values[kind]
        source = traffic.account[rows]
        tick = (traffic.second[rows] // (60 * tick_minutes)).astype(int)
        _, edge = np.unique(np.stack([source, codes], axis=1), axis=0, return_inverse=True)
        scores = np.max([surprise(keys.ravel(), tick) for keys in (edge, source, codes)], axis=0)
        if account == "max":
            np.maximum.at(total, source, scores)
        else:
            np.add.at(total, source, scores)
            np.add.at(edges, source, 1)
    return total / np.maximum(edges, 1)


def surprise(keys, tick):
    """Score of each arrival: its key's count in this tick against the key's past."""
    current = np.zeros(keys.max() + 1)
    past = np.zeros_like(current)
    cached = np.zeros_like(current)
    result = np.zeros(len(keys))
    starts = np.searchsorted(tick, np.arange(tick.max() + 2))
    for t, (begin, end) in enumerate(zip(starts, starts[1:]), start=1):
        if t > 1:
            merged = cached < SCORE_MERGED_MAX
            past = np.where(merged, past + current, past + past / max(t - 2, 1))
            current *= DECAY
        present, counts = np.unique(keys[begin:end], return_counts=True)
        current[present] += counts
        a, s = current[present], past[present]
        usual = np.maximum(s * (t - 1), 1e-9)
        cached[present] = np.where((s > 0) & (t > 1), (a + s - a * t) ** 2 / usual, 0)
        result[begin:end] = cached[keys[begin:end]]
    return result
