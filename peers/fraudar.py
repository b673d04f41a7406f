"""FRAUDAR: the densest block of a bipartite graph, where popular values weigh little.

Source: Hooi, Song, Beutel, Shah, Shin and Faloutsos, FRAUDAR: bounding graph fraud in the face of camouflage, KDD 2016.
The graph joins accounts to the values they hold. A value that d accounts hold weighs 1 / log(d + 5), the paper's column
weight. The node of least weight is taken away again and again; the block is what is left where weight per node was highest.
Score: that density, of the densest block an account is in.

Ours: written anew. Values that only one account holds are left out, and up to `BLOCKS` blocks are taken one after another.
"""

import heapq

import numpy as np

BLOCKS = 4
INFRASTRUCTURE = ["payment", "domain", "block", "ja4"]
TEXT = ("prefix8", "suffix4", "sketch")
GRID = [{"kinds": INFRASTRUCTURE}] + [{"kinds": own + [text]} for own in ([], INFRASTRUCTURE) for text in TEXT]


def score(traffic, kinds):
    edges, offset = [], len(traffic.accounts)
    for kind in kinds:
        pairs = traffic.pairs(kind)
        shared = np.bincount(pairs[:, 1])[pairs[:, 1]] > 1
        edges.append(pairs[shared] + [0, offset])
        offset += pairs[:, 1].max() + 1
    edges = np.concatenate(edges)
    weight = 1 / np.log(np.bincount(edges[:, 1], minlength=offset)[edges[:, 1]] + 5)
    result = np.zeros(len(traffic.accounts))
    for _ in range(BLOCKS):
        if len(edges) == 0:
            break
        kept, density = densest_block(edges, weight, offset)
        inside = kept[edges[:, 0]] & kept[edges[:, 1]]
        members = np.flatnonzero(kept[: len(result)])
        result[members] = np.maximum(result[members], density)
        edges, weight = edges[~inside], weight[~inside]
    return result


def densest_block(edges, weight, size):
    """Greedy peeling; the nodes of the densest block and its weight per node."""
    nodes = np.unique(edges)
    neighbours = {node: [] for node in nodes.tolist()}
    for (a, b), w in zip(edges.tolist(), weight.tolist()):
        neighbours[a].append((b, w))
        neighbours[b].append((a, w))
    load = {node: sum(w for _, w in near) for node, near in neighbours.items()}
    heap = [(w, node) for node, w in load.items()]
    heapq.heapify(heap)
    total, order, best, best_at = weight.sum(), [], 0.0, 0
    while load:
        if total / len(load) > best:
            best, best_at = total / len(load), len(order)
        w, node = heapq.heappop(heap)
        if load.get(node) != w:
            continue
        del load[node]
        order.append(node)
        total -= w
        for other, edge in neighbours[node]:
            if other in load:
                load[other] -= edge
                heapq.heappush(heap, (load[other], other))
    kept = np.zeros(size, bool)
    kept[order[best_at:]] = True
    return kept, best
