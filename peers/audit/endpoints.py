"""Audits endpoints of real model servers: llama.cpp's own, the same behind LiteLLM's proxy, and behind `stillwatch up` for keys that may and may not."""

import argparse
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SERVERS = pathlib.Path(__file__).parent.parent / "servers"
MODEL = "nonsense"
# What llama.cpp gives to whoever asks: probabilities, biases, several answers, reasoning.
GIVEN = {"endpoint-gives-alternatives", "endpoint-gives-logprobs", "endpoint-gives-reasoning", "endpoint-takes-logit-bias"}
# What holds of each endpoint: the rules that have to find something, and those that must not.
EXPECTED = {
    "llama.cpp": (GIVEN | {"endpoint-no-rate-limit", "endpoint-tells-server", "endpoint-without-key"}, {"endpoint-echoes", "endpoint-gives-tokens"}),
    "LiteLLM before it": (GIVEN | {"endpoint-no-rate-limit", "endpoint-tells-server"}, {"endpoint-without-key"}),
    "stillwatch before it, a key that may everything": (GIVEN, {"endpoint-no-rate-limit", "endpoint-tells-server", "endpoint-without-key"}),
    "stillwatch before it, a key that may infer only": (set(), GIVEN | {"endpoint-no-rate-limit", "endpoint-tells-server", "endpoint-without-key"}),
}


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Stack:
    """Processes that end with the script."""

    def __init__(self):
        self.processes = []

    def start(self, *command, **more):
        process = subprocess.Popen([str(word) for word in command], **more)
        self.processes.append(process)
        return process

    def end(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def llama(stack, folder):
    model = folder / "model.gguf"
    subprocess.run([sys.executable, SERVERS / "model.py", model], check=True)
    server = stack.start(sys.executable, SERVERS / "llama.py", model, "text", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return server.stdout.readline().strip()


def litellm(stack, folder, program, server):
    port, key = free_port(), f"sk-{secrets.token_hex(24)}"
    model = {"model": f"openai/{MODEL}", "api_base": f"{server}/v1", "api_key": "any"}
    config = folder / "litellm.yaml"
    # YAML reads JSON.
    config.write_text(json.dumps({"model_list": [{"model_name": MODEL, "litellm_params": model}], "general_settings": {"master_key": key}}))
    own = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR"}
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("LITELLM_", "DATABASE_"))} | own
    log = (folder / "litellm.log").open("w")
    command = [program, "--config", config, "--host", "127.0.0.1", "--port", port, "--num_workers", "1"]
    stack.start(*command, stdout=log, stderr=log, env=variables, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/health/liveliness", timeout=1)
            return url, key
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SystemExit(f"LiteLLM is not ready: {(folder / 'litellm.log').read_text()[-2000:]}")


def gateway(stack, folder, binary, server):
    ready, data = folder / "ready.json", folder / "data"
    command = [binary, "up", "--data", data, "--upstream", server, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", ready]
    stack.start(*command, stdout=subprocess.DEVNULL, stderr=(folder / "gateway.log").open("w"))
    while not ready.exists():
        time.sleep(0.1)
    where = json.loads(ready.read_text())

    def manage(*words):
        ran = subprocess.run([binary, *words, "--data", str(data), "--json"], capture_output=True, text=True)
        assert ran.returncode == 0, ran
        return json.loads(ran.stdout)

    manage("account", "add", "--id", "acc_1")
    manage("quota", "set", "key-requests", "--of", "each-key", "--unit", "requests", "--amount", "60", "--per", "minute")
    return where["gateway"], manage("key", "add", "--account", "acc_1")["key"], manage("key", "add", "--account", "acc_1", "--action", "infer")["key"]


def audited(binary, folder, url, key):
    """The rules that find something in an endpoint, and those that passed."""
    file = folder / f"key-{secrets.token_hex(4)}"
    file.write_text(key or "nobody")
    file.chmod(0o600)
    words = ["--without", "host", "--no-history", "--persona", "auditor", "--format", "json", "--endpoint-burst", "80"]
    # A folder without anything, so that only the endpoint is looked at.
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    command = [binary, "audit", "--data", empty, "--endpoint", url, "--endpoint-model", MODEL, "--endpoint-key-file", file, *words]
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if not ran.stdout:
        raise SystemExit(f"{url}: {ran.stderr}")
    told = json.loads(ran.stdout)
    of = {rule["id"] for rule in told["rules"] if rule["part"] == "endpoint"}
    found = {finding["rule"]: finding["message"] for finding in told["findings"] if finding["rule"] in of}
    passed = {rule["id"] for rule in told["rules"] if rule["id"] in of and rule["outcome"] == "passed"}
    return found, passed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--litellm", help="the program of LiteLLM's proxy, where it is installed")
    args = parser.parse_args()
    stack, failed = Stack(), 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        try:
            server = llama(stack, folder)
            endpoints = {"llama.cpp": (server, None)}
            if args.litellm:
                endpoints["LiteLLM before it"] = litellm(stack, folder, args.litellm, server)
            url, may, may_not = gateway(stack, folder, args.binary, server)
            endpoints["stillwatch before it, a key that may everything"] = (url, may)
            endpoints["stillwatch before it, a key that may infer only"] = (url, may_not)
            for name, (url, key) in endpoints.items():
                found, passed = audited(args.binary, folder, url, key)
                print(f"\n{name}: {len(found)} rules find something, {len(passed)} passed")
                for rule, message in sorted(found.items()):
                    print(f"  found   {rule}: {message}")
                for rule in sorted(passed):
                    print(f"  passed  {rule}")
                must, must_not = EXPECTED[name]
                for rule in sorted(must - set(found)):
                    print(f"  FAILED  {rule} should find something")
                for rule in sorted(must_not & set(found)):
                    print(f"  FAILED  {rule} should find nothing")
                failed += len(must - set(found)) + len(must_not & set(found))
        finally:
            stack.end()
    print(f"\n{len(endpoints)} endpoints, {failed} failed")
    sys.exit(1 if failed else 0)


main()
