"""Accounts whose prompts begin alike.

Source: the usual search for identical prefixes. Prompts with the same first words, system prompt first, are one template.
Score: the number of accounts that send the most common template among those that make up at least `share` of an account's
requests. Ours: the share, without which a greeting joins everybody.
"""

import numpy as np

GRID = [{"words": n, "share": share} for n in (4, 8, 16, 32) for share in (0.05, 0.5)]


def score(traffic, words, share):
    rows, codes = traffic.values[f"prefix{words}"]
    pairs, counts = np.unique(np.stack([traffic.account[rows], codes], axis=1), axis=0, return_counts=True)
    holders = np.bincount(pairs[:, 1])
    sent = np.bincount(traffic.account, minlength=len(traffic.accounts))
    own = counts >= share * sent[pairs[:, 0]]
    result = np.zeros(len(traffic.accounts))
    np.maximum.at(result, pairs[own, 0], holders[pairs[own, 1]])
    return result
