"""Accounts joined by shared payment instruments and address blocks.

Source: the usual entity linking by union-find. Score: the number of accounts in the connected component. Ours: values that
more than `holders_max` accounts hold join nobody, because a carrier's network joins everybody.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

GRID = [
    {"kinds": kinds, "holders_max": most}
    for kinds in (["payment"], ["block"], ["payment", "block"], ["payment", "block", "domain"])
    for most in (20, 100)
]


def score(traffic, kinds, holders_max):
    edges, size = [], len(traffic.accounts)
    for kind in kinds:
        pairs = traffic.pairs(kind)
        few = np.bincount(pairs[:, 1])[pairs[:, 1]] <= holders_max
        edges.append(pairs[few] + [0, size])
        size += pairs[:, 1].max() + 1
    edges = np.concatenate(edges)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    component = component[: len(traffic.accounts)]
    return np.bincount(component)[component]
