"""Kills a gateway under load again and again, and fills its disk.

After each kill everything that the gateway had acknowledged must be there: exchanges that it counted as recorded, accounts
that it said were made, keys that it said were revoked, a quota's budget but for the last half second. With a full disk
requests go on, or are turned away where the configuration demands recording, and either way it is said; when there is
room again, recording goes on by itself.
"""

import argparse
import contextlib
import http.client
import json
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

CALLERS = 8
START_SECONDS = 60


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True, type=pathlib.Path, help="folder of `stillwatch` and `examples/mock`")
    parser.add_argument("--kills", type=int, default=200, help="how often it is killed (200)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (1)")
    parser.add_argument("--no-disk", action="store_true", help="leave the full disk out")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        mock = subprocess.Popen([options.binaries / "examples" / "mock"], stdout=subprocess.PIPE, text=True)
        stack.callback(end, mock)
        world = World(options.binaries / "stillwatch", folder, mock.stdout.readline().strip())
        failures = kills(world, options.kills, random.Random(options.seed))
        if not options.no_disk:
            failures += full_disk(world, stack)
    for failure in failures:
        print(f"FAILED: {failure}")
    print("every promise held" if not failures else f"{len(failures)} promises broken")
    sys.exit(bool(failures))


class World:
    """Where a gateway runs, and what it said."""

    def __init__(self, program, folder, upstream):
        self.program, self.folder, self.upstream = str(program), folder, upstream

    def start(self, data, *more):
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        command = [self.program, "up", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        command += ["--upstream", self.upstream, "--ready-file", ready, *more]
        with (self.folder / "log").open("a") as log:
            process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the gateway does not start; its log:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)
        return Gateway(process, json.loads(ready.read_text()), (pathlib.Path(data) / "admin-key").read_text().strip())


class Gateway:
    def __init__(self, process, ready, admin_key):
        self.process, self.admin_key = process, admin_key
        self.gateway, self.admin = (ready[name].removeprefix("http://") for name in ("gateway", "admin"))

    def ask(self, connection, key, text):
        body = json.dumps({"model": "mock-1", "messages": [{"role": "user", "content": text}]})
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", body, headers)
        response = connection.getresponse()
        response.read()
        return response.status

    def ask_once(self, key, text):
        return self.ask(http.client.HTTPConnection(self.gateway, timeout=30), key, text)

    def api(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.admin, timeout=30)
        headers = {"authorization": f"Bearer {self.admin_key}", "content-type": "application/json"}
        connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None

    def get(self, path):
        connection = http.client.HTTPConnection(self.admin, timeout=30)
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()

    def count(self, name):
        return int(re.search(rf"^stillwatch_{name}_total (\d+)", self.get("/metrics")[1], re.MULTILINE)[1])


def end(process):
    process.terminate()
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def kills(world, times, moments):
    """Kills it `times` times while it is asked by several callers at once, and looks at what is left."""
    data, failures = world.folder / "data", []
    key, before, accounts, revoked = None, 0, [], []
    for turn in range(times):
        gateway = world.start(data)
        if key is None:
            gateway.api("POST", "/accounts", {"id": "acc_1"})
            key = gateway.api("POST", "/keys", {"account": "acc_1"})[1]["key"]
        failures += [
            f"kill {turn}: account {name} is gone" for name in accounts if gateway.api("GET", f"/accounts/{name}")[0] != 200
        ]
        failures += [
            f"kill {turn}: a revoked key works again" for one in revoked if gateway.ask_once(one, "revoked?") != 401
        ]
        accounts, revoked = [], []
        stop, told = threading.Event(), {"recorded": 0}
        threads = [threading.Thread(target=ask_on, args=(gateway, key, stop)) for _ in range(CALLERS)]
        threads += [threading.Thread(target=change_on, args=(gateway, turn, accounts, revoked, stop))]
        threads += [threading.Thread(target=watch, args=(gateway, told, stop))]
        for thread in threads:
            thread.start()
        time.sleep(moments.uniform(0.1, 1.0))
        gateway.process.send_signal(signal.SIGKILL)
        gateway.process.wait()
        stop.set()
        for thread in threads:
            thread.join()
        whole, torn = recorded(data / "exchanges")
        if whole - before < told["recorded"]:
            failures.append(
                f"kill {turn}: {told['recorded']} exchanges were recorded by its own word, and {whole - before} are there"
            )
        if torn > turn + 1:
            failures.append(f"kill {turn}: {torn} torn lines after {turn + 1} kills")
        before = whole
        if (turn + 1) % 20 == 0:
            print(f"faults: {turn + 1} kills, {whole} exchanges recorded, {torn} torn lines", file=sys.stderr, flush=True)
    done = subprocess.run([world.program, "inspect", str(data), "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        failures.append(f"what is left cannot be read: {done.stderr[-500:]}")
    return failures


def ask_on(gateway, key, stop):
    while not stop.is_set():
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(gateway.gateway, timeout=5)
            while not stop.is_set():
                gateway.ask(connection, key, "hello")


def change_on(gateway, turn, accounts, revoked, stop):
    """Makes accounts and revokes keys; notes what was acknowledged."""
    number = 0
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        while not stop.is_set():
            name = f"acc_{turn}_{number}"
            if gateway.api("POST", "/accounts", {"id": name})[0] < 300:
                accounts.append(name)
            status, made = gateway.api("POST", "/keys", {"account": name})
            if status < 300 and gateway.api("POST", f"/keys/{made['id']}/revoke")[0] < 300:
                revoked.append(made["key"])
            number += 1


def watch(gateway, told, stop):
    with contextlib.suppress(OSError, http.client.HTTPException):
        while not stop.is_set():
            told["recorded"] = gateway.count("exchanges_recorded")
            time.sleep(0.01)


def recorded(folder):
    """Lines that are whole, and those that are not."""
    whole = torn = 0
    for path in folder.glob("[0-9]*.jsonl"):
        for line in path.read_bytes().split(b"\n"):
            told = re.match(rb'\{"sum":"([0-9a-f]{8})-[0-9a-f]{16}",', line)
            if told and int(told[1], 16) == len(line) - told.end():
                whole += 1
            elif line:
                torn += 1
    return whole, torn


def full_disk(world, stack):
    """Fills the disk that exchanges are recorded on, and makes room again."""
    failures = []
    for required in (False, True):
        small = world.folder / f"small-{required}"
        small.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)], check=False).returncode != 0:
            print("faults: no file system can be mounted here; the full disk is left out", file=sys.stderr)
            return failures
        stack.callback(subprocess.run, ["umount", str(small)], check=False)
        data, filler = small / "data", small / "filler"
        config = world.folder / f"required-{required}.toml"
        config.write_text(f"[recording]\nrequired = {str(required).lower()}\n")
        gateway = world.start(data, "--config", config)
        stack.callback(end, gateway.process)
        gateway.api("POST", "/accounts", {"id": "acc_1"})
        key = gateway.api("POST", "/keys", {"account": "acc_1"})[1]["key"]
        with contextlib.suppress(OSError), filler.open("wb") as out:
            while True:
                out.write(b"x" * 65_536)
                out.flush()
        statuses = [gateway.ask_once(key, "x" * 5_000) for _ in range(20)]
        until(lambda gateway=gateway: "cannot be recorded" in gateway.get("/readyz")[1])
        statuses += [gateway.ask_once(key, "after") for _ in range(5)]
        ready, reasons = gateway.get("/readyz")
        what = "required" if required else "not required"
        if "cannot be recorded" not in reasons or ready != (503 if required else 200):
            failures.append(f"disk full, recording {what}: readyz says {ready} {reasons}")
        expected = {503} if required else {200}
        if set(statuses[-5:]) != expected:
            failures.append(f"disk full, recording {what}: requests got {statuses}")
        offered = gateway.count("exchanges_offered")
        filler.unlink()
        if not until(lambda gateway=gateway, offered=offered: gateway.count("exchanges_recorded") >= offered):
            failures.append(f"room again, recording {what}: {gateway.count('exchanges_recorded')} of {offered} recorded")
        if gateway.ask_once(key, "again") != 200 or gateway.get("/readyz")[0] != 200:
            failures.append(f"room again, recording {what}: it does not go on")
        end(gateway.process)
        whole, torn = recorded(data / "exchanges")
        if (whole, torn) != (offered + 1, 0):
            failures.append(f"room again, recording {what}: {whole} whole and {torn} torn lines of {offered + 1}")
        told = f"{statuses.count(200)} answered, {statuses.count(503)} turned away, {whole} recorded"
        print(f"faults: full disk, recording {what}: {told}", file=sys.stderr)
        shutil.rmtree(data, ignore_errors=True)
    return failures


def until(holds, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


if __name__ == "__main__":
    main()
