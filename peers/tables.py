"""Writes the tables of `docs/comparison.md`, each between its two markers."""

import re
from collections import Counter

import numpy as np
from experiments import HONEST_WORLDS, HOSTILE_WORLDS

NAMES = {
    "stillwatch": "Stillwatch",
    "exact_template": "exact template",
    "shared_values": "shared values",
    "synchrotrap": "SynchroTrap",
    "fraudar": "FRAUDAR",
    "dcube": "D-Cube",
    "midas_f": "MIDAS-F",
    "volume": "volume",
}


def write(path, results):
    text = path.read_text()
    for name, table in tables(results):
        pattern = rf"(<!-- table {re.escape(name)} -->\n).*?(<!-- end -->)"
        text, count = re.subn(pattern, lambda m, table=table: f"{m[1]}{table}\n{m[2]}", text, flags=re.DOTALL)
        if not count:
            print(f"no place for table `{name}` in {path.name}")
    path.write_text(text)


def tables(results):
    if found := results.get("accounts"):
        texts = list(dict.fromkeys(run["text"] for run in found["runs"]))
        for text in texts:
            runs = [run for run in found["runs"] if run["text"] == text and not run["knobs"]]
            yield f"summary {text}", summary(runs)
            yield f"scenarios {text}", scenarios(runs)
        for knob in ("cover", "requests", "variation", "sharing", "accounts"):
            runs = [run for run in found["runs"] if run["knobs"] and run["knobs"][0][0] == knob]
            yield f"frontier {knob}", cells(runs, lambda run: run["knobs"][0][1], knob)
        yield "settings", settings(found)
    if found := results.get("worlds"):
        yield "honest worlds", named([run for run in found if run["scenario"] in HONEST_WORLDS])
        yield "hostile worlds", cells([run for run in found if run["scenario"] in HOSTILE_WORLDS], code_name, "world")
    if found := results.get("windows"):
        yield "windows", windows(found)


def summary(runs):
    lines = [
        "| method | recall | precision | F1 | in hindsight | exchanges | honest runs | honest accounts flagged most |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    with_campaign = [run["scores"] for run in runs if run["scenario"] != "honest"]
    without = [run["scores"] for run in runs if run["scenario"] == "honest"]
    for key, name in NAMES.items():
        scores = [run[key] for run in with_campaign]
        recall, precision = pooled(scores)
        best = [s["f1_hindsight"] for s in scores if "f1_hindsight" in s]
        honest = np.mean([run[key]["flagged"] for run in without])
        lines.append(
            f"| {name} | {recall:.2f} | {precision:.2f} | {np.mean([s['f1'] for s in scores]):.2f} "
            f"| {f'{np.mean(best):.2f}' if best else ''} | {np.mean([s['exchange_recall'] for s in scores]):.2f} "
            f"/ {np.mean([s['exchange_precision'] or 0 for s in scores]):.2f} | {honest:.1f} | {strangers(scores)} |"
        )
    return "\n".join(lines)


def strangers(scores):
    """Kinds of honest accounts that are flagged most, and how many of them in a run with a campaign."""
    roles = Counter()
    for s in scores:
        roles.update(s["roles"])
    return ", ".join(f"{role.replace('_', ' ')} {count / len(scores):.1f}" for role, count in roles.most_common(2))


def scenarios(runs):
    return cells([run for run in runs if run["scenario"] != "honest"], code_name, "scenario")


def code_name(run):
    return f"`{run['scenario']}`"


def named(runs):
    """Honest accounts that were flagged where there is no campaign: a line for each world, a column for each method."""
    lines = ["| world | accounts | " + " | ".join(NAMES.values()) + " |", "|---|" + "--:|" * (len(NAMES) + 1)]
    for world in dict.fromkeys(run["scenario"] for run in runs):
        found = [run["scores"] for run in runs if run["scenario"] == world]
        line = [str(sum(scores[key]["honest_flagged"] for scores in found)) for key in NAMES]
        lines.append(f"| `{world}` | {sum(scores['stillwatch']['honest'] for scores in found)} | " + " | ".join(line) + " |")
    return "\n".join(lines)


def cells(runs, label, heading):
    """Recall and precision in percent, pooled over seeds: a line for each label, a column for each method."""
    lines = [f"| {heading} | " + " | ".join(NAMES.values()) + " |", "|---|" + "--:|" * len(NAMES)]
    for row in dict.fromkeys(map(label, runs)):
        found = [run["scores"] for run in runs if label(run) == row]
        line = []
        for key in NAMES:
            recall, precision = pooled([scores[key] for scores in found])
            line.append(f"{100 * recall:.0f} / {100 * precision:.0f}" if recall else "0")
        lines.append(f"| {row} | " + " | ".join(line) + " |")
    return "\n".join(lines)


def pooled(scores):
    right, flagged = sum(s["right"] for s in scores), sum(s["flagged"] for s in scores)
    return right / sum(s["campaign"] for s in scores), right / flagged if flagged else 0.0


def settings(found):
    texts = list(found["chosen"])
    lines = ["| method | " + " | ".join(texts) + " |", "|---|" + "---|" * len(texts)]
    for key, name in NAMES.items():
        if key in found["chosen"][texts[0]]:
            cells = [words(**found["chosen"][text][key]) for text in texts]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def words(setting, threshold):
    parts = [" + ".join(v) if isinstance(v, list) else f"{v}" if k == "kind" else f"{k} {v}" for k, v in setting.items()]
    return ", ".join(parts).replace("_", " ") + f": more than {threshold:.4g}"


def windows(found):
    lines = [
        "| campaign's requests | windows | MMD found | MMD false | Stillwatch found | Stillwatch false | whole log: recall |"
    ]
    lines.append("|---|---|--:|--:|--:|--:|--:|")
    for entry in found:
        for kind in ("drawn", "running"):
            row = entry[kind]
            shares = " | ".join(
                "–" if row[key] is None else f"{row[key]:.1%}"
                for key in ("mmd_found", "mmd_false", "stillwatch_found", "stillwatch_false")
            )
            what = f"{entry['text']}: {entry['harvest'].replace('_', ' ')}, {entry['accounts']} accounts"
            name = what if kind == "drawn" else ""
            whole = f"{entry['whole_log_recall']:.2f}" if kind == "drawn" else ""
            lines.append(f"| {name} | {kind} | {shares} | {whole} |")
    return "\n".join(lines)
