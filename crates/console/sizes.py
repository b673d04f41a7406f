#!/usr/bin/env python3
"""How long pages of the console take at sizes: a million accounts with a key each, ten million recorded exchanges in the lake.

Makes a data folder (some ten minutes, some 6 GB with the log that the lake is made of, which is removed), serves it with the program,
signs in, and asks for each page in turn, five rounds. Prints the median and the longest of them, and how long a page is. Loopback only.
"""

import argparse
import http.client
import json
import random
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

BEGIN = 1_784_505_600  # 2026-07-20T00:00:00Z
DAYS = 30
WORDS = "please describe the town river bridge market garden winter summer letter number table paper answer question reason short long".split()


class Served:
    """The program beside a data folder, for a while."""

    def __init__(self, binary: Path, data: Path, folder: Path):
        ready, config = folder / "ready.json", folder / "gateway.toml"
        ready.unlink(missing_ok=True)
        config.write_text("[lake]\nenabled = true\n[detection]\nenabled = false\n")
        begun = time.monotonic()
        self.process = subprocess.Popen(
            [binary, "up", "--config", config, "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", ready],
            stdout=subprocess.DEVNULL, stderr=(folder / "log").open("w"),
        )
        while not ready.exists() or not ready.read_text():
            if self.process.poll() is not None:
                sys.exit((folder / "log").read_text())
            time.sleep(0.05)
        self.seconds = time.monotonic() - begun
        self.address = json.loads(ready.read_text())["admin"].removeprefix("http://")
        self.cookie = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def ask(self, method: str, path: str, form: dict | None = None) -> tuple[int, bytes, float]:
        connection = http.client.HTTPConnection(self.address, timeout=120)
        headers = {"sec-fetch-site": "same-origin", "cookie": self.cookie}
        body = None
        if form is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
            body = urllib.parse.urlencode(form)
        begun = time.monotonic()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        seconds = time.monotonic() - begun
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                self.cookie = value.split(";")[0]
        connection.close()
        return answer.status, text, seconds

    def sign_in(self, name: str, password: str):
        """Signs in with a password that was made, and chooses another."""
        self.ask("POST", "/sign-in", {"name": name, "password": password})
        _, page, _ = self.ask("GET", "/password")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.decode())[1]
        own = "a password of one's own"
        status, _, _ = self.ask("POST", "/password", {"csrf": csrf, "old": password, "new": own, "again": own})
        assert status == 303, f"the password was not changed: {status}"


def account(number: int) -> str:
    return f"acc_{number * 2_654_435_761 % 2**32:08x}"


def people_and_accounts(binary: Path, data: Path, folder: Path, accounts: int) -> str:
    """A database with so many accounts, each with a key, and somebody who may sign in; the password."""
    with Served(binary, data, folder):
        add = [binary, "person", "add", "ann", "--role", "admin", "--data", data, "--json"]
        shown = subprocess.run(add, capture_output=True, check=True)
    database = sqlite3.connect(data / "control.db")
    (revision,) = database.execute("select last from revision").fetchone()

    def entries():
        for number in range(accounts):
            own, made = account(number), "2026-05-10T15:11:33.864Z"
            body = {"id": own, "tier": "standard", "assurance": "payment", "programme": "none", "status": "active", "created": made}
            yield "account", own, json.dumps(body), revision + 1
            key = f"{number:012x}"
            scope = {"models": [], "actions": ["infer", "stream"], "networks": []}
            body = {"id": key, "account": own, "hash": f"{number:064x}", "scope": scope, "created": made}
            yield "key", key, json.dumps(body), revision + 1

    database.executemany("insert into entries values (?, ?, ?, ?)", entries())
    database.execute("update revision set last = ?", (revision + 1,))
    database.commit()
    database.close()
    return json.loads(shown.stdout)["password"]


def log(path: Path, exchanges: int, accounts: int):
    """A log of so many exchanges over some days, of accounts of which some send much more than others."""
    chance = random.Random(1)
    step = DAYS * 86_400 * 1_000_000_000 // exchanges
    with path.open("w") as out:
        for number in range(exchanges):
            at = BEGIN * 1_000_000_000 + number * step
            own = account(int(accounts * chance.random() ** 3))
            bits = chance.getrandbits(64)
            words = " ".join(WORDS[(bits >> shift) % len(WORDS)] for shift in range(0, 40, 4))
            # One in a hundred asks for what campaigns ask for.
            ask = f"Think step by step and show your reasoning. {words}" if bits % 100 == 0 else words
            ip = f"203.0.{bits >> 8 & 255}.{bits >> 16 & 255}"
            out.write(
                f'{{"id":"e{number:08x}","time":{at},"account":"{own}","client":{{"ip":"{ip}"}},"request":{{"model":"m-{bits % 7}",'
                f'"messages":[{{"role":"user","content":"{ask}"}}]}},"response":{{"choices":[{{"message":{{"role":"assistant","content":"Yes."}}}}]}}}}\n'
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--exchanges", type=int, default=10_000_000)
    parser.add_argument("--keep", type=Path, help="keep the data there, and take it where it is there already")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp())
    data, password = folder / "data", folder / "password"
    try:
        if not password.exists():
            folder.mkdir(parents=True, exist_ok=True)
            made = people_and_accounts(args.binary, data, folder, args.accounts)
            if args.exchanges:
                records = folder / "log.jsonl"
                log(records, args.exchanges, args.accounts)
                begun = time.monotonic()
                subprocess.run([args.binary, "lake", "add", records, "--data", data], check=True, stdout=subprocess.DEVNULL)
                print(f"{args.exchanges:,} exchanges into the lake: {time.monotonic() - begun:.0f} s", flush=True)
                records.unlink()
            password.write_text(made)
        # Signing in changes what is kept.
        copy = folder / "served"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for path in data.iterdir():
            if path.name == "lake":
                (copy / "lake").symlink_to(path.resolve())
            elif path.is_dir():
                shutil.copytree(path, copy / path.name)
            else:
                shutil.copy(path, copy / path.name)
        with Served(args.binary, copy, folder) as served:
            print(f"started with {args.accounts:,} accounts and keys: {served.seconds:.1f} s", flush=True)
            served.sign_in("ann", password.read_text())
            pages = {
                "overview": "/",
                "accounts": "/accounts",
                "accounts, the last page": "/accounts?before=999900",
                "accounts by a part of the id": "/accounts?q=00ff",
                "accounts in a campaign": "/accounts?only=suspected",
                "keys": "/keys",
                "one account": f"/accounts/{account(7)}",
                "organisations": "/organisations",
                "the admin API's list": "/api",
            }
            if args.exchanges:
                pages |= {
                    "exchanges": "/exchanges",
                    "of an account that sends much": f"/exchanges?account={account(0)}",
                    "of an account that sends little": f"/exchanges?account={account(999_983 % args.accounts)}",
                    "by capability": "/exchanges?capability=reasoning_trace",
                    "by a block of addresses": "/exchanges?network=203.0.7.0/24",
                    "by one address": "/exchanges?network=203.0.7.9/32",
                    "by model": "/exchanges?model=m-3",
                    "by time": "/exchanges?from=2026-07-25&until=2026-07-26",
                    "by one address on one day": "/exchanges?network=203.0.7.9/32&from=2026-07-25&until=2026-07-26",
                }
            print(f"{'page':34} {'median':>9} {'longest':>9} {'bytes':>9}")
            for name, path in pages.items():
                rounds = [served.ask("GET", path) for _ in range(5)]
                assert all(status == 200 for status, _, _ in rounds), f"{path}: {rounds[0][0]} {rounds[0][1][:300]}"
                seconds = [seconds for _, _, seconds in rounds]
                told = re.search(rb"(\d[\d,]*) (?:rows|exchanges) were looked at", rounds[0][1])
                more = f"   {told[0].decode()}" if told else ""
                print(f"{name:34} {statistics.median(seconds):7.3f} s {max(seconds):7.3f} s {len(rounds[0][1]):9,}{more}", flush=True)
            status = Path(f"/proc/{served.process.pid}/status").read_text()
            kilobytes = int(re.search(r"VmHWM:\s+(\d+)", status)[1])
            print(f"memory at most {kilobytes // 1024} MiB")
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
