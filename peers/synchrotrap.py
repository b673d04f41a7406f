"""SynchroTrap: accounts that do the same things at about the same times.

Source: Cao, Yang, Yu and Palow, Uncovering large groups of active malicious accounts in online social networks, CCS 2014.
An action is a value in a time bucket. Two accounts are joined where the Jaccard similarity of their actions is at least
`similarity`; the clusters are the connected components. Score: accounts in the cluster.

Ours: written anew; the values are those of an API log. As there, windows overlap by half, so that no two actions are parted
by the edge of a bucket.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

GRID = [
    {"kind": kind, "hours": hours, "similarity": similarity}
    for kind in ("block", "prefix8", "suffix4", "sketch")
    for hours in (1, 24)
    for similarity in (0.1, 0.4)
]


def score(traffic, kind, hours, similarity):
    actions = actions_of(traffic, kind, hours)
    common = (actions @ actions.T).tocoo()
    done = actions.sum(axis=1)
    jaccard = common.data / (done[common.row] + done[common.col] - common.data)
    near = jaccard >= similarity
    graph = coo_array((common.data[near], (common.row[near], common.col[near])), shape=common.shape)
    _, component = connected_components(graph, directed=False)
    return np.bincount(component)[component]


def actions_of(traffic, kind, hours):
    """Accounts by (value, bucket), one where the account did that."""
    rows, codes = traffic.values[kind]
    half = (traffic.second[rows] // (hours * 1800)).astype(int)
    actions = np.concatenate([np.stack([codes, half + late, traffic.account[rows]], 1) for late in (0, 1)])
    pairs = np.unique(actions, axis=0)
    _, column = np.unique(pairs[:, :2], axis=0, return_inverse=True)
    column = column.ravel()
    matrix = coo_array((np.ones(len(pairs)), (pairs[:, 2], column)), shape=(len(traffic.accounts), column.max() + 1))
    return matrix.tocsr()
