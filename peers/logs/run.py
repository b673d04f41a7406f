"""Makes real programs write logs of the same traffic, hunts in each with Stillwatch, and prints a line for each.

A line holds the calls sent, the calls read, how many of the planted accounts were found and how many others were named.
Ends with status 1 when a program's log was not read whole, or somebody was missed or wrongly named.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import judge
import model
import traffic

HERE = pathlib.Path(__file__).parent
OLD = {"PYTHONPATH": str(pathlib.Path(sys.prefix) / "old")}
NEW = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
EVENTS = NEW | {"OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT": "true"}

# What everybody logs, or all but a few: its shares are told.
FIELDS = ["prompt", "system prompt", "answer", "model", "settings", "token counts"]

# Name: the driver, its flags, its environment.
PROGRAMS = {
    "litellm": ("litellm_sdk", [], {}),
    "litellm-otel": ("litellm_sdk", ["otel"], {}),
    "litellm-proxy": ("litellm_proxy", [], {}),
    "litellm-proxy-otel": ("litellm_proxy", ["otel"], {}),
    "litellm-proxy-otel-v2": ("litellm_proxy", ["otel", "v2"], {}),
    "otel-old": ("otel_genai", ["events"], OLD | {CAPTURE: "true"}),
    "otel-new": ("otel_genai", [], NEW | {CAPTURE: "span_only"}),
    "otel-new-events": ("otel_genai", ["events"], EVENTS | {CAPTURE: "event_only"}),
    "otel-new-both": ("otel_genai", ["events"], EVENTS | {CAPTURE: "span_and_event"}),
    "otel-console": ("otel_genai", ["console"], NEW | {CAPTURE: "span_only"}),
    "otel-parent": ("otel_genai", ["parent"], NEW | {CAPTURE: "span_only"}),
    "openinference": ("openinference_client", [], {}),
    "openinference-console": ("openinference_client", ["console"], {}),
    "openinference-metadata": ("openinference_client", ["metadata"], {}),
    "openinference-user": ("openinference_client", ["user"], {}),
    "openllmetry": ("openllmetry", [], {}),
    "openllmetry-user": ("openllmetry", ["user"], {}),
    "pydantic-ai": ("pydantic_ai_agent", ["baggage"], {}),
    "pydantic-ai-metadata": ("pydantic_ai_agent", [], {}),
    "langfuse": ("langfuse_sdk", [], {}),
    "rsyslog": ("rsyslog", [], {}),
}


class Missing(Exception):
    """A program that is not there."""


def write_lines(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def drive(name, folder, patience):
    """Runs the driver of a program; what the program wrote lies in `folder/logs` afterwards. The calls that arrived."""
    driver, flags, environment = PROGRAMS[name]
    logs = folder / "logs"
    logs.mkdir()
    with model.serving(logs / "exported.jsonl") as server, open(folder / "output.txt", "w") as output:
        base = f"http://127.0.0.1:{server.port}"
        command = [sys.executable, HERE / "programs" / f"{driver}.py", base, logs / "log.jsonl", *flags]
        done = subprocess.Popen(
            command,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
        )
        try:
            done.wait(patience)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"not done within {patience:.0f} s") from None
        finally:
            if done.poll() is None:
                os.killpg(done.pid, signal.SIGKILL)  # The driver and the servers it started.
        if done.returncode == 3:
            raise Missing((folder / "output.txt").read_text().strip().splitlines()[-1])
        if done.returncode:
            last = " | ".join((folder / "output.txt").read_text().splitlines()[-3:])
            raise RuntimeError(f"the driver ended with {done.returncode}: {last}")
        return server.calls


def outcome(name, folder, flags):
    """The line of a program, and whether all was well."""
    calls, accounts = traffic.traffic()
    facts = folder / "accounts.jsonl"
    write_lines(facts, traffic.account_facts(accounts))
    began = time.monotonic()
    try:
        sent = drive(name, folder, flags.patience)
        took = time.monotonic() - began
        got = judge.judge(folder / "logs", facts, accounts)
    except Missing as reason:
        return f"{name:22} missing: {reason}", True
    except RuntimeError as reason:
        return f"{name:22} failed: {reason}", False
    good = sent == got["read"] and got["found"] == traffic.PLANTED and not got["wrong"] and sent == len(calls)
    shares = ", ".join(f"{field} {got['shares'].get(field, 0):.2f}" for field in FIELDS)
    line = (
        f"{name:22} sent {sent:5}  read {got['read']:5}  found {got['found']:2} of {traffic.PLANTED}  wrong {got['wrong']:3}"
        f"  {took:3.0f} s  {'+'.join(got['formats']) or 'no format'}  [{shares}]"
    )
    return "\n    ".join([line] if good else [line, *got["said"]]), good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(PROGRAMS)}; all without")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="keep the logs here")
    parser.add_argument("--patience", type=float, default=240, metavar="SECONDS", help="the longest a program may take")
    flags = parser.parse_args()
    if unknown := set(flags.names) - set(PROGRAMS):
        parser.error(f"no such program: {', '.join(sorted(unknown))}")
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        for name in flags.names or PROGRAMS:
            folder = (flags.keep or pathlib.Path(scratch)).resolve() / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            line, fine = outcome(name, folder, flags)
            print(line, flush=True)
            good &= fine
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
