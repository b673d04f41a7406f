"""Accounts whose prompts begin or end alike.

Source: the usual search for identical prefixes. Prompts with the same first words, system prompt first, are one template; or
those with the same last words. Score: the number of accounts that send the most common template among those that make up at
least `share` of an account's requests. Ours: the share, without which a greeting joins everybody, and the last words.
"""

import numpy as np

GRID = [
    {"kind": kind, "share": share}
    for kind in ("prefix4", "prefix8", "prefix16", "prefix32", "suffix4", "suffix8")
    for share in (0.05, 0.5)
]


def score(traffic, kind, share):
    rows, codes = traffic.values[kind]
    pairs, counts = np.unique(np.stack([traffic.account[rows], codes], axis=1), axis=0, return_counts=True)
    holders = np.bincount(pairs[:, 1])
    sent = np.bincount(traffic.account, minlength=len(traffic.accounts))
    own = counts >= share * sent[pairs[:, 0]]
    result = np.zeros(len(traffic.accounts))
    np.maximum.at(result, pairs[own, 0], holders[pairs[own, 1]])
    return result
