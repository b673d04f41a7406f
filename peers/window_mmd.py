"""MMD of windows of traffic against benign traffic. It tells windows and no accounts.

Source: Liu, Guo and Dong, An embarrassingly simple detector for model extraction attacks in large language model API
traffic, arXiv 2606.05725. Prompts are embedded, and a window of 1,500 is compared to benign traffic by maximum mean
discrepancy (Gretton et al. 2012). The threshold comes from benign windows alone, at 0.3 % false alarms, the paper's rate.

Ours: written anew; a Gaussian kernel with the median squared distance as its width; the encoder is all-MiniLM-L6-v2, where
the paper's code takes bge-small-en-v1.5, of about the same size.
"""

import numpy as np

FALSE_ALARMS_MAX = 0.003
MEDIAN_SAMPLE = 1000


class WindowMmd:
    """Benign reference and kernel over all vectors that windows are made of; rows are positions in `vectors`."""

    def __init__(self, vectors, reference):
        sample = reference[:MEDIAN_SAMPLE]
        near = squared_distances(vectors[sample])
        width = np.median(near[np.triu_indices(len(sample), 1)])
        self.kernel = np.exp(-squared_distances(vectors) / width)
        self.to_reference = self.kernel[:, reference].mean(axis=1)
        self.within_reference = self.to_reference[reference].mean()
        self.threshold = np.inf

    def score(self, rows):
        return self.kernel[np.ix_(rows, rows)].mean() + self.within_reference - 2 * self.to_reference[rows].mean()

    def calibrate(self, windows):
        scores = np.sort([self.score(rows) for rows in windows])[::-1]
        self.threshold = scores[int(FALSE_ALARMS_MAX * len(scores))]

    def alarm(self, rows):
        return bool(self.score(rows) > self.threshold)


def squared_distances(vectors):
    return np.maximum(2 - 2 * vectors @ vectors.T, 0, dtype=np.float32)
