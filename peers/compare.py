"""Runs every method on the same traffic and writes what came out. `peers/run --help` lists the flags."""

import argparse
import concurrent.futures
import functools
import hashlib
import importlib
import json
import os
from pathlib import Path

import experiments
import numpy as np
import score
import stillwatch
import tables
import windows
from experiments import Run

HERE = Path(__file__).parent
PEERS = ("volume", "exact_template", "shared_values", "synchrotrap", "fraudar", "dcube", "midas_f")
HONEST_FLAGGED_MAX = 0.01
UNFINISHED = HERE / ".unfinished.jsonl"


def main():
    parser = argparse.ArgumentParser(prog="peers/run", description="Compares Stillwatch with other methods.")
    parser.add_argument("--stillwatch", type=Path, default=HERE.parent / "target/release/stillwatch", help="the binary")
    parser.add_argument("--corpora", type=Path, help="folder of real texts, beside the simulator's own")
    parser.add_argument("--only", choices=("accounts", "worlds", "windows"), help="run one part and keep the others' results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at once; as many as there are processors")
    flags = parser.parse_args()
    if not flags.stillwatch.exists():
        parser.error(f"`{flags.stillwatch}` does not exist; run `cargo build --release` or name it with --stillwatch")

    kept = HERE / "results.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    work = Work(flags.stillwatch, flags.corpora, flags.jobs)
    texts = {"own text": None} | ({"open corpora": flags.corpora} if flags.corpora else {})
    if flags.only in (None, "accounts"):
        results["accounts"] = accounts(work, texts)
    if flags.only in (None, "worlds"):
        results["worlds"] = worlds(work)
    if flags.only in (None, "windows"):
        results["windows"] = windows.compare(flags.stillwatch, texts, HERE / ".venv" / "embeddings.npz")
    kept.write_text(json.dumps(results, indent=1) + "\n")
    tables.write(HERE.parent / "docs/comparison.md", results)
    UNFINISHED.unlink(missing_ok=True)


class Work:
    """What takes long, done by several processes and kept until all of it is done: a comparison that was broken off goes on."""

    def __init__(self, binary, corpora, jobs):
        self.binary, self.jobs = binary, jobs
        sources = [binary, *sorted(HERE.glob("*.py"))]
        # What was found with other methods, another build or other texts is done anew.
        self.build = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + str(corpora).encode()).hexdigest()
        lines = UNFINISHED.read_text().splitlines() if UNFINISHED.exists() else []
        self.done = {key: value for build, key, value in map(json.loads, lines) if build == self.build}

    def keep(self, key, value):
        self.done[key] = value
        with UNFINISHED.open("a") as file:
            file.write(json.dumps([self.build, key, value]) + "\n")

    def chosen(self, text, corpora):
        """What `choose` chooses for a kind of text."""
        key = f"chosen: {text}"
        if key not in self.done:
            self.keep(key, choose(self.binary, corpora))
        return self.done[key]

    def entries(self, text, runs, chosen):
        """An entry for each run, in their order."""

        def key(run):
            return f"{text}: {' '.join(run.flags())}"

        missing = [run for run in runs if key(run) not in self.done]
        with concurrent.futures.ProcessPoolExecutor(self.jobs) as pool:
            compared = pool.map(functools.partial(compare, self.binary, chosen), missing)
            for run, scores in zip(missing, compared):
                entry = {"text": text, "flags": run.flags(), "knobs": run.knobs, "scenario": run.scenario, "scores": scores}
                self.keep(key(run), entry)
                show(entry)
        return [self.done[key(run)] for run in runs]


def accounts(work, texts):
    results = {"chosen": {}, "runs": []}
    for text, corpora in texts.items():
        chosen = results["chosen"][text] = work.chosen(text, corpora)
        runs = [Run("honest", seed, corpora) for seed in experiments.HONEST_SEEDS]
        runs += [Run(scenario, seed, corpora) for scenario in experiments.SCENARIOS for seed in experiments.SEEDS]
        if corpora is None:
            points = [point for frontier in experiments.FRONTIERS.values() for point in frontier]
            runs += [Run("hydra", seed, None, (point,)) for point in points for seed in experiments.FRONTIER_SEEDS]
        results["runs"] += work.entries(text, runs, chosen)
    return results


def worlds(work):
    """All methods on small worlds, own text."""
    chosen = work.chosen("own text", None)
    names = experiments.HONEST_WORLDS + experiments.HOSTILE_WORLDS
    runs = [Run(name, seed, scale="1") for name in names for seed in experiments.WORLD_SEEDS]
    return work.entries("own text", runs, chosen)


def choose(binary, corpora):
    """For each peer the setting that does best on development campaigns, and the threshold that goes with it.

    A threshold is the lowest at which at most one in a hundred accounts of honest development traffic is flagged.
    """
    honest, total = {}, {}
    for seed in experiments.HONEST_DEVELOPMENT_SEEDS:
        with Run("honest", seed, corpora).simulated(binary) as (_, traffic):
            for key, scores in scores_of_all(traffic):
                honest.setdefault(key, []).append(scores)
    limits = {key: score.threshold(np.concatenate(parts), HONEST_FLAGGED_MAX) for key, parts in honest.items()}
    for scenario in experiments.DEVELOPMENT:
        with Run(scenario, experiments.CAMPAIGN_DEVELOPMENT_SEED, corpora).simulated(binary) as (_, traffic):
            for key, scores in scores_of_all(traffic):
                total[key] = total.get(key, 0) + score.score(traffic, scores > limits[key])["f1"]
    best = {name: max((key for key in total if key[0] == name), key=total.get) for name in PEERS}
    return {name: {"setting": json.loads(key[1]), "threshold": limits[key]} for name, key in best.items()}


def scores_of_all(traffic):
    for name in PEERS:
        method = importlib.import_module(name)
        for setting in method.GRID:
            yield (name, json.dumps(setting)), method.score(traffic, **setting)


def compare(binary, chosen, run):
    """Scores of all methods on one run."""
    with run.simulated(binary) as (folder, traffic):
        result = {}
        for name, choice in chosen.items():
            scores = importlib.import_module(name).score(traffic, **choice["setting"])
            result[name] = score.score(traffic, scores > choice["threshold"])
            result[name]["f1_hindsight"] = score.best_f1(traffic, scores)
        found, told, own = stillwatch.hunt(binary, folder)
        flagged = np.array([account in found for account in traffic.accounts])
        result["stillwatch"] = score.score(traffic, flagged, np.array([i in told for i in traffic.exchange_ids]))
        ours = result["stillwatch"]
        if (own["flagged"], own["correct"]) != (ours["flagged"], ours["right"]):
            raise SystemExit(f"`stillwatch evaluate` says {own}, ours is {ours}: {run}")
        return result


def show(entry):
    cells = [f"{name} {s['recall'] or 0:.2f}/{s['precision'] or 0:.2f}" for name, s in entry["scores"].items()]
    print(entry["text"], " ".join(entry["flags"]), "|", " ".join(cells), flush=True)


if __name__ == "__main__":
    main()
