"""Accounts that send the most.

Source: the usual quota alarm. Score: requests of the account, in all or in its busiest hour.
"""

import numpy as np

GRID = [{"per": "all"}, {"per": "hour"}]


def score(traffic, per):
    bucket = np.zeros(len(traffic.account), int) if per == "all" else (traffic.second // 3600).astype(int)
    counts = np.zeros((len(traffic.accounts), bucket.max() + 1))
    np.add.at(counts, (traffic.account, bucket), 1)
    return counts.max(axis=1)
