"""Sends simulated traffic through a running gateway, as fast as its clock runs, and watches what detection makes of it."""

import argparse
import http.client
import json
import pathlib
import subprocess
import tempfile
import threading
import time
from collections import Counter
from datetime import datetime, timedelta, timezone

CONNECTIONS = 8
CONFIGURATION = """
[trust]
peers = ["127.0.0.0/8"]
address = "x-forwarded-for"
asn = "x-asn"
country = "x-country"
ja4 = "x-ja4"
"""


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def lines(path):
    with path.open() as file:
        return [json.loads(line) for line in file if line.strip()]


class Admin:
    """The admin API of a gateway."""

    def __init__(self, ready):
        self.address = ready["admin"].removeprefix("http://")
        key = pathlib.Path(ready["admin_key_file"]).read_text().strip()
        self.headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self.connection = http.client.HTTPConnection(self.address, timeout=60)

    def ask(self, method, path, body=None):
        self.connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, self.headers)
        response = self.connection.getresponse()
        text = response.read()
        answer = json.loads(text) if text else None
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {answer}")
        return answer


def body(record):
    """What the caller of a record would have sent."""
    request = record["request"]
    messages = request.get("messages", [])
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if request.get("system"):
        messages = [{"role": "system", "content": request["system"]}, *messages]
    made = {"model": record.get("model", "mock-1"), "messages": messages}
    made |= {key: value for key, value in request.get("params", {}).items() if value is not None and key != "stream"}
    functions = [tool if isinstance(tool, dict) else {"name": tool} for tool in request.get("tools", [])]
    tools = [tool if "type" in tool else {"type": "function", "function": tool} for tool in functions]
    if tools:
        made["tools"] = tools
    return json.dumps(made)


def headers(record, key):
    client = record.get("client", {})
    shown = {
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "x-forwarded-for": client.get("ip"),
        "x-asn": client.get("asn"),
        "x-country": client.get("country"),
        "x-ja4": client.get("ja4"),
        "user-agent": client.get("user_agent"),
    }
    return {name: str(value) for name, value in shown.items() if value is not None}


class Drive:
    """Traffic on its way."""

    def __init__(self, address, begins, speed, requests):
        self.address, self.begins, self.speed, self.requests = address, begins, speed, requests
        self.next, self.lock = 0, threading.Lock()
        self.answers = [None] * len(requests)
        self.sent = []
        self.behind = 0.0
        self.began = time.monotonic()

    def run(self):
        threads = [threading.Thread(target=self.send) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        return threads

    def now(self):
        return self.begins + timedelta(seconds=(time.monotonic() - self.began) * self.speed)

    def send(self):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        while True:
            with self.lock:
                index, self.next = self.next, self.next + 1
            if index >= len(self.requests):
                return
            due, account, head, text = self.requests[index]
            wait = (due - self.begins).total_seconds() / self.speed - (time.monotonic() - self.began)
            if wait > 0:
                time.sleep(wait)
            else:
                self.behind = max(self.behind, -wait)
            connection.request("POST", "/v1/chat/completions", text, head)
            response = connection.getresponse()
            response.read()
            self.answers[index] = (account, response.status)
            with self.lock:
                self.sent.append((account, response.status))


# Whether what is recorded is sealed.
SEALED = False


def sealing(binary, folder):
    """What the configuration says where texts are sealed, for an evidence key that is made at first."""
    if not SEALED:
        return ""
    key = folder / "evidence.key"
    if not key.exists():
        (folder / "passphrase").write_text("a drill\n")
        command = [binary, "seal", "key", "--out", key, "--name", "drill", "--purpose", "investigation", "--passphrase-file", folder / "passphrase"]
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    return f"[sealing]\nkey = '{folder / 'evidence.pub'}'\n"


def start(binary, folder, begins, speed):
    configuration = folder / "gateway.toml"
    configuration.write_text(CONFIGURATION + sealing(binary, folder))
    (folder / "ready.json").unlink(missing_ok=True)
    ready = folder / "ready.json"
    command = [binary, "up", "--config", configuration, "--data", folder / "data", "--listen", "127.0.0.1:0"]
    command += ["--admin", "127.0.0.1:0", "--ready-file", ready, "--drill-speed", str(speed)]
    command += ["--drill-begins", begins.strftime("%Y-%m-%dT%H:%M:%SZ")]
    log = (folder / "log").open("w")
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=log)
    for _ in range(600):
        if ready.exists():
            return process, json.loads(ready.read_text())
        if process.poll() is not None:
            raise SystemExit(f"the gateway ended: {(folder / 'log').read_text()}")
        time.sleep(0.05)
    raise SystemExit("the gateway is not ready after 30 s")


def accounts(admin, facts, used):
    """Makes the accounts that are used, each with a key."""
    known = {}
    for fact in facts:
        known.setdefault(fact["account"], {}).update({name: value for name, value in fact.items() if value is not None})
    tiers = {"free", "standard", "business", "enterprise"}
    keys = {}
    organisations = set()
    for account in sorted(used):
        fact = known.get(account, {})
        new = {"id": account, "created": fact.get("created")}
        new["tier"] = fact["plan"] if fact.get("plan") in tiers else "standard"
        for name, field in [("assurance", "assurance"), ("programme", "program"), ("payment", "payment"), ("organisation", "org")]:
            if fact.get(field):
                new[name] = fact[field]
        organisation = new.get("organisation")
        if organisation and organisation not in organisations:
            organisations.add(organisation)
            admin.ask("POST", "/organisations", {"id": organisation})
        admin.ask("POST", "/accounts", {name: value for name, value in new.items() if value is not None})
        keys[account] = admin.ask("POST", "/keys", {"account": account})["key"]
    return keys


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--scenario", default="hydra")
    parser.add_argument("--scale", default="0.1")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long the traffic is to take")
    parser.add_argument("--respond", action="store_true", help="give each campaign a shared budget at once, and block it later")
    parser.add_argument("--budget", type=int, default=20, help="requests an hour that a campaign may make together")
    parser.add_argument("--block-after", type=float, default=6.0, help="hours from the budget to the block")
    parser.add_argument("--data", help="folder of simulated traffic, instead of a scenario")
    parser.add_argument("--sealed", action="store_true", help="seal what is recorded, so that detection goes by fingerprints")
    parser.add_argument("--keep", help="folder to keep the gateway's data in")
    args = parser.parse_args()
    global SEALED
    SEALED = args.sealed
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(args.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        traffic = pathlib.Path(args.data) if args.data else folder / "traffic"
        if not args.data:
            command = [args.binary, "simulate", args.scenario, "--out", traffic, "--overwrite", "--scale", args.scale, "--seed", args.seed]
            subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        drill(args, folder, traffic)


def drill(args, folder, traffic):
    records = sorted(lines(traffic / "exchanges.jsonl"), key=lambda record: instant(record["time"]))
    labels = {label["account"]: label for label in lines(traffic / "labels.jsonl") if "account" in label}
    campaigns = {account: label["campaign"] for account, label in labels.items() if label.get("campaign")}
    first, last = instant(records[0]["time"]), instant(records[-1]["time"])
    speed = max(1, round((last - first).total_seconds() / (args.minutes * 60)))
    # Accounts are made the day before, at the speed of the machine's clock.
    process, ready = start(args.binary, folder, first - timedelta(days=1), 1)
    keys = accounts(Admin(ready), lines(traffic / "accounts.jsonl"), {record["account"] for record in records})
    end(process)
    prepared = [(instant(r["time"]), r["account"], headers(r, keys[r["account"]]), body(r)) for r in records]
    process, ready = start(args.binary, folder, first, speed)
    try:
        admin = Admin(ready)
        drive = Drive(ready["gateway"].removeprefix("http://"), first, speed, prepared)
        threads = drive.run()
        story = watch(args, admin, drive, threads, campaigns)
        summary(admin, drive, campaigns)
    finally:
        end(process)
    compare(args, folder, story)


def end(process):
    process.terminate()
    if process.wait() != 0:
        raise SystemExit(f"the gateway ended with {process.returncode}")


class Story:
    """What happened when: times of the gateway's clock, and how many exchanges of campaigns had been sent by then."""

    def __init__(self, drive, campaigns):
        self.drive, self.campaigns, self.members = drive, campaigns, {}
        self.first = next(due for due, account, _, _ in drive.requests if account in campaigns)
        self.all = sum(account in campaigns for _, account, _, _ in drive.requests)

    def tell(self, what):
        sent = sum(account in self.campaigns for account, _ in list(self.drive.sent))
        after = self.drive.now() - self.first
        hours = after.total_seconds() / 3600
        print(f"{self.drive.now():%d %b %H:%M} {hours:6.1f} h after the first request, {sent / self.all:6.1%} of the campaigns' exchanges: {what}", flush=True)


def watch(args, admin, drive, threads, campaigns):
    """Tells what comes out while traffic runs, and responds to each campaign: a shared budget at once, a block some hours later."""
    story = Story(drive, campaigns)
    known, budgets, blocks = {}, {}, {}
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.2)
        now = {campaign["id"]: campaign for campaign in admin.ask("GET", "/campaigns")["campaigns"]}
        for name in now.keys() - known.keys():
            campaign = now[name]
            story.tell(f"{name} is detected, {campaign['accounts']} accounts, 10^{campaign['log10_e']:.1f} where 10^{campaign['log10_threshold']:.1f} is asked")
            if args.respond and name not in budgets:
                budget = {"unit": "requests", "amount": args.budget, "per": "hour"}
                new = {"target": {"campaign": name}, "rung": "share_budget", "budget": budget, "joiners": "inherit"}
                admin.ask("POST", "/responses", new | {"reason": "drill", "author": "ann"})
                budgets[name] = drive.now()
                story.tell(f"{name} shares a budget")
        for name in known.keys() - now.keys():
            story.tell(f"{name} stands no longer")
        for name, since in budgets.items():
            if name not in blocks and name in now and drive.now() - since > timedelta(hours=args.block_after):
                new = {"target": {"campaign": name}, "rung": "block", "joiners": "inherit", "reason": "drill", "author": "ann"}
                taken = admin.ask("POST", "/responses", new)
                if taken["state"] == "waits":
                    taken = admin.ask("POST", f"/responses/{taken['id']}/approve", {"author": "bob"})
                blocks[name] = taken["id"]
                story.tell(f"{name} is blocked, {taken['accounts']} accounts")
        known = now
    return story


def summary(admin, drive, campaigns):
    for _ in range(300):
        went = admin.ask("GET", "/detection")
        if went["behind_bytes"] == 0:
            break
        time.sleep(0.2)
    print("detection:", json.dumps(went))
    for kind, is_of in [("campaigns", lambda account: account in campaigns), ("honest", lambda account: account not in campaigns)]:
        statuses = Counter(status for account, status in drive.answers if is_of(account))
        print(f"answers to {kind}: {dict(sorted(statuses.items()))}")
    print(f"sent at most {drive.behind:.1f} s late")
    for campaign in admin.ask("GET", "/campaigns")["campaigns"]:
        members = [member["account"] for member in admin.ask("GET", f"/campaigns/{campaign['id']}?limit=1000")["members"]]
        right = sum(account in campaigns for account in members)
        print(f"{campaign['id']}: {len(members)} members, {right} of them in campaigns; nearest: {campaign['rival']}")
    print(f"{len(campaigns)} accounts are in campaigns")


def compare(args, folder, story):
    """What a hunt over the same record finds."""
    hunted = subprocess.run([args.binary, "hunt", str(folder / "data"), "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    for campaign in json.loads(hunted.stdout)["campaigns"]:
        members = [member["account"] for member in campaign["accounts"] if member["probability"] >= 0.5]
        right = sum(account in story.campaigns for account in members)
        print(f"a hunt over the record: {campaign['id']}, {len(members)} members, {right} of them in campaigns, 10^{campaign['log10_e']:.1f}")


if __name__ == "__main__":
    main()
