"""One scoring for every method: what was flagged against the labels."""

from collections import Counter

import numpy as np


def score(traffic, flagged, exchanges=None):
    """Score flagged accounts (a mask), and exchanges where a method names them; else all of the flagged accounts."""
    right = flagged & traffic.campaign
    wrong = flagged & ~traffic.campaign
    told = flagged[traffic.account] if exchanges is None else exchanges
    told_right = (told & traffic.campaign_exchange).sum()
    recall, precision = ratio(right.sum(), traffic.campaign.sum()), ratio(right.sum(), flagged.sum())
    return {
        "recall": recall,
        "precision": precision,
        "f1": f1(recall, precision),
        "flagged": int(flagged.sum()),
        "right": int(right.sum()),
        "campaign": int(traffic.campaign.sum()),
        "honest_flagged": int(wrong.sum()),
        "honest": int((~traffic.campaign).sum()),
        "roles": dict(Counter(traffic.roles[i] for i in np.flatnonzero(wrong)).most_common()),
        "exchange_recall": ratio(told_right, traffic.campaign_exchange.sum()),
        "exchange_precision": ratio(told_right, told.sum()),
    }


def best_f1(traffic, scores):
    """F1 at the threshold that would have been best, known only in hindsight."""
    thresholds = np.unique(np.quantile(scores, np.linspace(0, 1, 201)))
    return max(score(traffic, scores >= threshold)["f1"] for threshold in thresholds)


def threshold(honest_scores, share_max):
    """The lowest threshold at which at most this share of honest accounts is flagged (those above it are)."""
    return float(np.sort(honest_scores)[::-1][int(share_max * len(honest_scores))])


def ratio(part, whole):
    return float(part / whole) if whole else None


def f1(recall, precision):
    return 2 * recall * precision / (recall + precision) if recall and precision else 0.0
