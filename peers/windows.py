"""The question of the window: is there an attack among these 1,500 requests, one in twenty of them the campaign's?

One deployment is simulated with a campaign that lasts as long as the log. *Drawn* windows are made as in the MMD paper:
requests drawn at random from the log. *Running* windows are what a gateway sees: requests one after another. The MMD
detector gets a benign reference and benign windows of the same deployment; Stillwatch gets the window alone.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import stillwatch
from experiments import Run
from minilm import MiniLm
from window_mmd import WindowMmd

WINDOW = 1500
ATTACK = 75
SEED = 1
# What the campaign asks for, its accounts, and the requests of each. The first two are also run on the simulator's own text.
CASES = (
    ("reasoning_trace", 150, 3),
    ("reasoning_trace", 15, 30),
    ("tool_use", 150, 3),
    ("coding", 150, 3),
    ("data_generation", 150, 3),
    ("human_prompts", 150, 3),
)
REFERENCE, CALIBRATION, DRAWN, HUNTED, STEP = 1500, 1000, 200, 40, 100
KNOBS = (("honest_rate", "0.15"), ("start_day", "0"), ("campaign_days", "2"))


def compare(binary, texts, cache):
    encoder = MiniLm(cache)
    results = []
    for text, corpora in texts.items():
        for harvest, accounts, requests in CASES if corpora else CASES[:2]:
            own = (("harvest", harvest), ("accounts", str(accounts)), ("requests", str(requests)))
            run = Run("hydra", SEED, corpora, KNOBS + own)
            with run.simulated(binary) as (folder, traffic):
                case = {"text": text, "harvest": harvest, "accounts": accounts, "flags": run.flags()}
                results.append(case | one(binary, folder, traffic, encoder))
            print(json.dumps(results[-1]), flush=True)
    return results


def one(binary, folder, traffic, encoder):
    vectors = encoder.embed(traffic.prompts)
    random = np.random.default_rng(SEED)
    honest, attack = np.flatnonzero(~traffic.campaign_exchange), np.flatnonzero(traffic.campaign_exchange)
    draw = lambda pool, count: random.choice(pool, count, replace=False)  # noqa: E731
    mixed = lambda pool: np.concatenate([draw(pool, WINDOW - ATTACK), draw(attack, ATTACK)])  # noqa: E731

    shuffled = random.permutation(honest)
    before, after = np.array_split(shuffled[REFERENCE:], 2)
    mmd = WindowMmd(vectors, shuffled[:REFERENCE])
    mmd.calibrate([draw(before, WINDOW) for _ in range(CALIBRATION)])
    benign = [draw(after, WINDOW) for _ in range(DRAWN)]
    hidden = [mixed(after) for _ in range(DRAWN)]
    result = {"drawn": outcome(binary, folder, mmd, benign, hidden)}

    # The past calibrates, the second half is tested. Windows overlap: there are few requests and no other way.
    past, now = np.array_split(honest, 2)
    mmd = WindowMmd(vectors, past)
    mmd.calibrate(running(past))
    now_with_attack = np.arange(now[0], len(traffic.account))
    hidden = [w for w in running(now_with_attack) if abs(traffic.campaign_exchange[w].sum() - ATTACK) <= ATTACK // 3]
    result["running"] = outcome(binary, folder, mmd, running(now), hidden)
    result["attack_share"] = float(traffic.campaign_exchange.mean())

    accounts, _, _ = stillwatch.hunt(binary, folder)
    found = np.array([a in accounts for a in traffic.accounts])
    result["whole_log_recall"] = float((found & traffic.campaign).sum() / traffic.campaign.sum())
    result["whole_log_strangers"] = int((found & ~traffic.campaign).sum())
    return result


def running(rows):
    return [rows[start : start + WINDOW] for start in range(0, len(rows) - WINDOW + 1, STEP)]


def outcome(binary, folder, mmd, benign, hidden):
    """Share of windows with an alarm, for both methods. Stillwatch hunts the first few of drawn windows."""
    share = lambda alarms: float(np.mean(alarms)) if alarms else None  # noqa: E731
    return {
        "windows": [len(benign), len(hidden)],
        "mmd_false": share([mmd.alarm(rows) for rows in benign]),
        "mmd_found": share([mmd.alarm(rows) for rows in hidden]),
        "stillwatch_false": share([hunted(binary, folder, rows) for rows in benign[:HUNTED]]),
        "stillwatch_found": share([hunted(binary, folder, rows) for rows in hidden[:HUNTED]]),
    }


def hunted(binary, folder, rows):
    """Does a hunt in this window alone report anything?"""
    lines = (Path(folder) / "exchanges.jsonl").read_bytes().splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as window:
        (Path(window) / "exchanges.jsonl").write_bytes(b"".join(lines[row] for row in sorted(rows)))
        shutil.copy(Path(folder) / "accounts.jsonl", window)
        return stillwatch.reports(binary, window)
