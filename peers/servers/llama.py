"""Serves a model with llama.cpp's own HTTP server, as the package xllamacpp ships it, on a free port of loopback.

`llama.py MODEL text` answers chats and completions, `llama.py MODEL vectors` embeddings.
Prints the address once it listens, and runs until it is ended.
Keeps nothing of earlier prompts, so that the same request is the same work.
"""

import signal
import sys

import xllamacpp


def main(model, what):
    settings = xllamacpp.CommonParams()
    settings.model.path = model
    settings.hostnames = ["127.0.0.1"]
    settings.port = 0
    settings.n_parallel = 4
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.warmup = False
    settings.cache_prompt = False
    settings.cache_ram_mib = 0
    settings.endpoint_slots = True
    if what == "vectors":
        settings.model_alias = {"nonsense-vectors"}
        settings.n_ctx = 2048
        settings.embedding = True
        settings.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    else:
        settings.model_alias = {"nonsense"}
        settings.n_ctx = 4 * 8192
    server = xllamacpp.Server(settings)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
