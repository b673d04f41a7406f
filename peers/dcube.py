"""D-Cube: dense blocks of the tensor account × text × hour.

Source: Shin, Hooi, Kim and Faloutsos, D-Cube: dense-block detection in terabyte-scale tensors, WSDM 2017. From the mode
with the most values left, all values of at most average mass are taken away, lightest first, until nothing is left; the
block is the densest that was passed. Density is the arithmetic or geometric average mass. Found blocks are taken out and
the search goes on. Score: density of the densest block an account is in.

Ours: written anew, in memory. `count` is the mass of a cell: its requests, or one.
"""

import numpy as np

BLOCKS = 6
GRID = [
    {"kind": kind, "density": density, "count": count}
    for kind in ("block", "prefix8", "suffix4", "sketch")
    for density in ("arithmetic", "geometric")
    for count in ("requests", "one")
]


def score(traffic, kind, density, count):
    rows, codes = traffic.values[kind]
    hour = (traffic.second[rows] // 3600).astype(int)
    cells, mass = np.unique(np.stack([traffic.account[rows], codes, hour], axis=1), axis=0, return_counts=True)
    mass = mass.astype(float) if count == "requests" else np.ones(len(cells))
    result = np.zeros(len(traffic.accounts))
    for _ in range(BLOCKS):
        if len(cells) == 0:
            break
        inside, found = densest_block(cells, mass, MEASURES[density])
        members = np.unique(cells[inside, 0])
        result[members] = np.maximum(result[members], found)
        cells, mass = cells[~inside], mass[~inside]
    return result


MEASURES = {
    "arithmetic": lambda mass, sizes: mass / np.mean(sizes, axis=0),
    "geometric": lambda mass, sizes: mass / np.prod(sizes, axis=0) ** (1 / len(sizes)),
}


def densest_block(cells, mass, measure):
    """Which cells are in the densest block, and its density."""
    modes = cells.shape[1]
    removed_at = [np.full(cells[:, m].max() + 1, np.inf) for m in range(modes)]
    alive = np.ones(len(cells), bool)
    left = [np.unique(cells[:, m]) for m in range(modes)]
    best, best_at, step = measure(mass.sum(), np.array([[len(values)] for values in left], float))[0], 0, 0
    while alive.any():
        mode = max(range(modes), key=lambda m: len(left[m]))
        total = mass[alive].sum()
        slices = np.bincount(cells[alive, mode], weights=mass[alive], minlength=len(removed_at[mode]))[left[mode]]
        order = np.argsort(slices, kind="stable")
        order = order[slices[order] <= total / len(left[mode])]
        after = total - np.cumsum(slices[order])
        sizes = np.array([np.full(len(order), len(values), float) for values in left])
        sizes[mode] -= np.arange(1, len(order) + 1)
        keep = (sizes > 0).all(axis=0)
        densities = np.where(keep, measure(after, np.maximum(sizes, 1)), 0)
        if densities.max() > best:
            best, best_at = densities.max(), step + int(densities.argmax()) + 1
        removed_at[mode][left[mode][order]] = step + np.arange(1, len(order) + 1)
        step += len(order)
        left[mode] = np.delete(left[mode], order)
        alive &= removed_at[mode][cells[:, mode]] == np.inf
    inside = np.all([removed_at[m][cells[:, m]] > best_at for m in range(modes)], axis=0)
    return inside, best
