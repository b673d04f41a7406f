"""Kills a gateway again and again while simulated traffic goes through it, and compares what detection knows with what it would know
without the kills; and so with what was done about accounts."""

import argparse
import json
import pathlib
import random
import signal
import subprocess
import tempfile
import threading
import time

import live


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", default="0.1")
    parser.add_argument("--sealed", action="store_true", help="seal what is recorded")
    args = parser.parse_args()
    live.SEALED = args.sealed
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        traffic = folder / "traffic"
        command = [args.binary, "simulate", "hydra", "--out", traffic, "--scale", args.scale]
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run(args, folder, traffic)


def run(args, folder, traffic):
    chance = random.Random(args.seed)
    records = sorted(live.lines(traffic / "exchanges.jsonl"), key=lambda record: live.instant(record["time"]))
    first, last = live.instant(records[0]["time"]), live.instant(records[-1]["time"])
    process, ready = live.start(args.binary, folder, first - live.timedelta(days=1), 1)
    keys = live.accounts(live.Admin(ready), live.lines(traffic / "accounts.jsonl"), {record["account"] for record in records})
    live.end(process)
    prepared = [(live.instant(r["time"]), r["account"], live.headers(r, keys[r["account"]]), live.body(r)) for r in records]
    seconds = args.kills * 0.8
    speed = round((last - first).total_seconds() / seconds)
    taken, undone = {}, set()
    began = time.monotonic()
    sent = 0
    for kill in range(args.kills):
        # The clock goes on where it would be by now.
        now = first + live.timedelta(seconds=(time.monotonic() - began) * speed)
        process, ready = live.start(args.binary, folder, now, speed)
        admin = live.Admin(ready)
        stop = threading.Event()
        sender = Sender(ready, prepared, sent, first, speed, began, stop)
        sender.start()
        until = time.monotonic() + chance.uniform(0.05, 0.7)
        while time.monotonic() < until:
            respond(admin, chance, records, taken, undone)
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        stop.set()
        sender.join()
        sent = sender.next
    process, ready = live.start(args.binary, folder, last, 1)
    admin = live.Admin(ready)
    killed = settled(admin)
    known = {response["id"]: response for response in admin.ask("GET", "/responses?limit=1000")["responses"]}
    live.end(process)
    (folder / "data" / "detection.state").unlink()
    process, ready = live.start(args.binary, folder, last, 1)
    whole = settled(live.Admin(ready))
    live.end(process)
    print(f"{args.kills} kills, {sent} exchanges sent, {killed['population']['exchanges']} known to detection")
    print("campaigns:", [(campaign["id"], len(campaign["accounts"])) for campaign in whole["campaigns"]])
    print("findings are those without the kills:", killed == whole)
    lost = [name for name in taken if name not in known]
    wrong = [name for name in undone if known[name]["state"] != "undone"]
    twice = len(known) - len(taken)
    print(f"{len(taken)} responses were acknowledged and {len(undone)} undone: lost {len(lost)}, not undone {len(wrong)}, unacknowledged and there {twice}")
    raise SystemExit(0 if killed == whole and not lost and not wrong else 1)


class Sender(threading.Thread):
    """Sends what is due until the gateway is gone."""

    def __init__(self, ready, prepared, begin, first, speed, began, stop):
        super().__init__()
        self.address = ready["gateway"].removeprefix("http://")
        self.prepared, self.next, self.first, self.speed, self.began, self.stop = prepared, begin, first, speed, began, stop

    def run(self):
        connection = live.http.client.HTTPConnection(self.address, timeout=5)
        while self.next < len(self.prepared) and not self.stop.is_set():
            due, _, head, text = self.prepared[self.next]
            wait = (due - self.first).total_seconds() / self.speed - (time.monotonic() - self.began)
            if wait > 0:
                time.sleep(min(wait, 0.05))
                continue
            self.next += 1
            try:
                connection.request("POST", "/v1/chat/completions", text, head)
                connection.getresponse().read()
            except (OSError, live.http.client.HTTPException):
                return


def respond(admin, chance, records, taken, undone):
    """Takes a response or undoes one; what was acknowledged is kept."""
    try:
        if taken and chance.random() < 0.4:
            name = chance.choice(sorted(taken))
            if name not in undone:
                admin.ask("POST", f"/responses/{name}/undo", {"author": "bob", "reason": "drill"})
                undone.add(name)
            return
        account = chance.choice(records)["account"]
        new = {"target": {"account": account}, "rung": "observe", "reason": "drill", "author": "ann"}
        taken[admin.ask("POST", "/responses", new)["id"]] = account
    except (OSError, live.http.client.HTTPException):
        pass


def settled(admin):
    """What is found once everything that is recorded is read."""
    while True:
        went = admin.ask("GET", "/detection")
        time.sleep(0.5)
        if went["behind_bytes"] == 0 and admin.ask("GET", "/detection") == went:
            return admin.ask("GET", "/findings")


if __name__ == "__main__":
    main()
