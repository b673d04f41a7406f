"""Measures proxies beside each other: requests a second, added latency, CPU a request, streams, memory.

Every proxy stands in front of the same server, which answers at once (`load serve`), and is measured in turn within each
round, so that what else the machine does falls on all of them; tables show medians over the rounds. The gateway runs as it
is run for real: it checks keys, asks policies for permits, counts quotas and records every exchange.

What a proxy still does after its load, as detection does, is waited for before the next one is measured.

With `--with undetecting`, the gateway is measured without detection, too; with `nginx-writing`, nginx that writes requests to a
file; with `envoy`, Envoy as a plain proxy. With the others of `--with`, AI gateways of others are measured, each as
one worker or process without a database: LiteLLM's proxy with its master key, and Portkey, which has no keys of its own. They
are much slower, so a fifth as many requests are timed and streams held, they are five times as long under load, and streams
run on an eighth of the connections; otherwise those that are cut off at the end of the load would be more than a few of all.
With these two everything runs in a network namespace that has a loopback address and nothing else, which needs root.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ANY_KEY = "none"
SHORT, LONG = 1_536, 32_768
CONNECTIONS = 64
OPEN_STREAMS = 2_000
START_SECONDS = 60
SLOWER = 5
INSTALLED = pathlib.Path(__file__).resolve().parents[2] / ".venv-gateways"
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")

NGINX = """
daemon off; worker_processes {cores}; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_buffer_size 64k; client_max_body_size 32m;
  client_body_temp_path {folder}/nginx-1; proxy_temp_path {folder}/nginx-2; fastcgi_temp_path {folder}/nginx-3;
  uwsgi_temp_path {folder}/nginx-4; scgi_temp_path {folder}/nginx-5;
  upstream model {{ server {server}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True, type=pathlib.Path, help="folder of `stillwatch` and `examples/load`")
    parser.add_argument("--only", nargs="+", metavar="PROXY", help="measure these of `nginx` and `stillwatch`")
    parser.add_argument("--with", dest="others", nargs="+", default=[], choices=OTHERS, help="measure these if installed")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (5)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds under load, of each proxy, body and round (2)")
    parser.add_argument("--count", type=int, default=4_000, help="requests that are timed, of each proxy and round (4000)")
    parser.add_argument("--out", type=pathlib.Path, help="writes every number there, as JSON")
    options = parser.parse_args()
    if {"litellm", "portkey"} & set(options.others):
        leave_network()
    load = options.binaries / "examples" / "load"
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateways-")))
        server = started(stack, [load, "serve"])
        address = server.stdout.readline().strip()
        proxies = {"direct": Proxy("direct", address, ANY_KEY, None)}
        for name, start in (STARTS | {name: OTHERS[name] for name in options.others}).items():
            if name in STARTS and options.only and name not in options.only:
                continue
            proxy = start(stack, folder, address, options.binaries)
            if proxy:
                proxies[name] = proxy
            else:
                say(f"{name} is not installed and is not measured (peers/README.md says how)")
        for proxy in proxies.values():
            proxy.wait()
        results = {name: {"version": proxy.version, "idle_mb": proxy.resident_mb()} for name, proxy in proxies.items()}
        # Before any load, whose memory would be told as that of the streams.
        for name, proxy in proxies.items():
            if name != "direct":
                open_streams(load, proxy, results[name])
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            for kind, size, flags in [("short", SHORT, []), ("long", LONG, []), ("stream", SHORT, ["--stream"])]:
                latencies(load, proxies, results, kind, size, flags, options.count // (4 if flags else 1))
                rates(load, folder, proxies, results, kind, size, flags, options.seconds)
        for name, proxy in proxies.items():
            results[name]["after_mb"] = proxy.resident_mb()
        if "stillwatch" in proxies:
            results["stillwatch"]["metrics"] = proxies["stillwatch"].metrics()
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n")
    table(results)


class Proxy:
    def __init__(self, name, address, key, process, version="", admin=None, slower=1):
        self.name, self.address, self.key, self.process = name, address, key, process
        self.version, self.admin, self.slower = version, admin, slower

    def wait(self):
        deadline = time.monotonic() + START_SECONDS
        headers = {"authorization": f"Bearer {self.key.splitlines()[0]}"}
        request = urllib.request.Request(f"http://{self.address}/v1/models", headers=headers)
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(request, timeout=5).read()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        sys.exit(f"{self.name} does not answer")

    def family(self):
        """The process and those that it started."""
        if not self.process:
            return []
        found, known = [self.process.pid], []
        while found:
            pid = found.pop()
            known.append(pid)
            with contextlib.suppress(OSError):
                for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                    found += [int(child) for child in children.read_text().split()]
        return known

    def settle(self):
        """Waits until it is done, nearly: callers that left do not stop every proxy, and detection comes after them."""
        deadline = time.monotonic() + START_SECONDS
        before = self.cpu_us()
        while time.monotonic() < deadline:
            time.sleep(0.2)
            now = self.cpu_us()
            if now - before <= 0.02 * 1e6:
                return
            before = now

    def cpu_us(self):
        return sum(ticks(pid) for pid in self.family()) * TICK_US

    def resident_mb(self):
        kilobytes = 0
        for pid in self.family():
            with contextlib.suppress(OSError):
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                kilobytes += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])
        return kilobytes / 1_000

    def metrics(self):
        text = urllib.request.urlopen(f"{self.admin}/metrics", timeout=10).read().decode()
        names = ("recorded", "shed", "lost")
        return {name: int(re.search(rf"^stillwatch_exchanges_{name}_total (\d+)", text, re.MULTILINE)[1]) for name in names}


def ticks(pid):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def started(stack, command, stdout=subprocess.PIPE, **more):
    process = subprocess.Popen([str(word) for word in command], stdout=stdout, text=True, **more)

    def stop():
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(stop)
    return process


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def leave_network():
    """Starts over in a network namespace where only the loopback address is."""
    if os.environ.get("GATEWAYS_ALONE"):
        return
    words = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv]
    try:
        os.execvpe(words[0], words, os.environ | {"GATEWAYS_ALONE": "1"})
    except OSError as error:
        sys.exit(f"--with needs `unshare`, of util-linux: {error}")

# What writing the requests alone costs nginx, with nothing escaped, so that it is as little as can be.
NGINX_WRITING = NGINX.replace(
    "access_log off;",
    "log_format bodies escape=none '$request_body'; access_log {folder}/bodies.log bodies buffer=256k flush=1s;",
)

ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: callers
          route_config:
            virtual_hosts:
            - {{name: model, domains: ["*"], routes: [{{match: {{prefix: "/"}}, route: {{cluster: model, timeout: 60s}}}}]}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: model
    circuit_breakers: {{thresholds: [{{max_connections: 8192, max_pending_requests: 8192, max_requests: 8192}}]}}
    load_assignment:
      cluster_name: model
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {server_port}}}}}}}}}]}}]
"""


def said(command):
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()


def configured(name, text, command, ending="conf", version="-v"):
    def start(stack, folder, server, _binaries):
        program = shutil.which(command[0], path=f"{INSTALLED / 'bin'}:{os.environ['PATH']}")
        if not program:
            return None
        port, path = free_port(), folder / f"{name}.{ending}"
        server_port = server.rpartition(":")[2]
        path.write_text(text.format(folder=folder, port=port, server=server, server_port=server_port, cores=os.cpu_count()))
        words = [program] + [word.format(path=path, cores=os.cpu_count()) for word in command[1:]]
        process = started(stack, words, stderr=(folder / f"{name}.err").open("w"))
        number = re.search(r"\d+\.\d+\.\d+", said([program, version]))[0]
        return Proxy(name, f"127.0.0.1:{port}", ANY_KEY, process, number)

    return start


def undetecting(stack, folder, server, binaries):
    """The same with detection off."""
    config = folder / "undetecting.toml"
    config.write_text("[detection]\nenabled = false\n")
    return stillwatch(stack, folder, server, binaries, name="undetecting", config=config)


def stillwatch(stack, folder, server, binaries, name="stillwatch", config=None):
    """The gateway with authentication, permits, quotas, recording and detection on."""
    ready, data, program = folder / f"{name}.json", folder / f"{name}.data", str(binaries / "stillwatch")
    command = [program, "up", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    command += ["--upstream", f"http://{server}", "--ready-file", ready]
    command += ["--config", config] if config else []
    process = started(stack, command, stderr=(folder / f"{name}.err").open("w"))
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    where = json.loads(ready.read_text())

    def manage(*words):
        done = subprocess.run([program, *words, "--data", str(data), "--json"], check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    manage("account", "add", "--id", "acc_1", "--org", "org_1", "--tier", "standard", "--assurance", "email")
    key = manage("key", "add", "--account", "acc_1")["key"]
    for name, of, unit, per in [
        ("key-requests", "each-key", "requests", "minute"),
        ("account-tokens", "each-account", "tokens", "minute"),
        ("organisation-day", "each-organisation", "tokens", "day"),
    ]:
        manage("quota", "set", name, "--of", of, "--unit", unit, "--amount", "1000000000000", "--per", per)
    version = said([program, "--version"]).rpartition(" ")[2]
    return Proxy(name, where["gateway"].removeprefix("http://"), key, process, version, admin=where["admin"])


def litellm(stack, folder, server, _binaries):
    """LiteLLM's proxy: one worker and one model, a master key, no database."""
    program = INSTALLED / "bin" / "litellm"
    if not program.exists():
        return None
    port, key, config = free_port(), f"sk-{secrets.token_hex(24)}", folder / "litellm.yaml"
    model = {"model": "openai/mock-1", "api_base": f"http://{server}/v1", "api_key": ANY_KEY}
    # YAML reads JSON.
    models = [{"model_name": "mock-1", "litellm_params": model}]
    config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": key}}))
    # Its telemetry is off where no variable turns it on, and its prices come from the package.
    own = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR"}
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("LITELLM_", "DATABASE_"))} | own
    command = [program, "--config", config, "--host", "127.0.0.1", "--port", port, "--num_workers", "1"]
    log = (folder / "litellm.log").open("w")
    process = started(stack, command, stdout=log, stderr=log, env=variables, cwd=folder)
    library = next((INSTALLED / "lib").glob("python*/site-packages"))
    version = next(importlib.metadata.distributions(name="litellm", path=[str(library)])).version
    return Proxy("litellm", f"127.0.0.1:{port}", key, process, version, slower=SLOWER)


def portkey(stack, folder, server, _binaries):
    """Portkey's gateway; it is told by headers where the model is."""
    package = INSTALLED / "node_modules" / "@portkey-ai" / "gateway"
    if not package.exists():
        return None
    port, log = free_port(), (folder / "portkey.log").open("w")
    command = ["node", package / "build" / "start-server.js", "--headless", f"--port={port}"]
    process = started(stack, command, stdout=log, stderr=log, env=os.environ | {"NODE_ENV": "production"})
    # Callers write the key as it is, so more headers may follow it.
    key = f"{ANY_KEY}\r\nx-portkey-provider: openai\r\nx-portkey-custom-host: http://{server}/v1"
    version = json.loads((package / "package.json").read_text())["version"]
    return Proxy("portkey", f"127.0.0.1:{port}", key, process, version, slower=SLOWER)


STARTS = {
    "nginx": configured("nginx", NGINX, ["nginx", "-e", "stderr", "-c", "{path}"]),
    "stillwatch": stillwatch,
}
OTHERS = {
    "undetecting": undetecting,
    "nginx-writing": configured("nginx-writing", NGINX_WRITING, ["nginx", "-e", "stderr", "-c", "{path}"]),
    "envoy": configured(
        "envoy",
        ENVOY,
        ["envoy", "--use-dynamic-base-id", "--concurrency", "{cores}", "-l", "error", "-c", "{path}"],
        ending="yaml",
        version="--version",
    ),
    "litellm": litellm,
    "portkey": portkey,
}


def latencies(load, proxies, results, kind, size, flags, count):
    """One connection to each proxy and one to the server, asked in turn."""
    for name, proxy in proxies.items():
        if name == "direct":
            continue
        words = [load, "latency", proxy.key, size, count // proxy.slower, *flags, proxies["direct"].address, proxy.address]
        done = subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True)
        direct, through = (json.loads(line) for line in done.stdout.splitlines())
        del direct["address"], through["address"]
        added = {key: through[key] - direct[key] for key in direct}
        results[name].setdefault(f"{kind}_latency", []).append(added)
        results["direct"].setdefault(f"{kind}_latency", []).append(direct)
        proxy.settle()


def rates(load, folder, proxies, results, kind, size, flags, seconds):
    body = subprocess.run([str(load), "body", str(size), *flags], check=True, capture_output=True, text=True).stdout
    for name, proxy in proxies.items():
        script = folder / f"{name}-{kind}.lua"
        script.write_text(
            f"wrk.method = 'POST'\nwrk.headers['authorization'] = {json.dumps('Bearer ' + proxy.key)}\n"
            f"wrk.headers['content-type'] = 'application/json'\nwrk.body = [==[{body}]==]\n"
        )
        before, started_at = proxy.cpu_us(), time.monotonic()
        connections = CONNECTIONS // 8 if flags and proxy.slower > 1 else CONNECTIONS
        words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds * proxy.slower}s", "--timeout", f"{2 * proxy.slower}s"]
        words += ["-s", str(script), f"http://{proxy.address}/v1/chat/completions"]
        text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        wall = time.monotonic() - started_at
        requests = int(re.search(r"(\d+) requests in", text)[1])
        if "Non-2xx" in text or "Socket errors" in text:
            sys.exit(f"{name} did not answer every request:\n{text}")
        per_s = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        row = {"per_s": per_s, "cpu_us": (proxy.cpu_us() - before) / requests, "wall_s": wall}
        results[name].setdefault(f"{kind}_rate", []).append(row)
        proxy.settle()


def open_streams(load, proxy, result):
    count = OPEN_STREAMS // proxy.slower
    with contextlib.ExitStack() as stack:
        caller = started(stack, [load, "streams", proxy.key, count, proxy.address], stdin=subprocess.PIPE)
        if not caller.stdout.readline():
            sys.exit(f"{proxy.name} does not hold {count} streams open")
        result |= {"streams": count, "streams_mb": proxy.resident_mb()}
    proxy.settle()


def table(results):
    def median(name, what, key):
        return statistics.median(row[key] for row in results[name][what])

    names = [name for name in results if name != "direct"]
    print("| | requests/s | of nginx | CPU µs | added p50 / p99 µs |\n|---|--:|--:|--:|--:|")
    for kind in ("short", "long", "stream"):
        for name in names:
            rate = median(name, f"{kind}_rate", "per_s")
            ours, theirs = results[name][f"{kind}_rate"], results.get("nginx", results[name])[f"{kind}_rate"]
            ratios = [one["per_s"] / other["per_s"] for one, other in zip(ours, theirs, strict=True)]
            added = [median(name, f"{kind}_latency", key) for key in ("p50_us", "p99_us")]
            print(
                f"| {kind}, {name} | {rate:,.0f} | {statistics.median(ratios):.3f} | {median(name, f'{kind}_rate', 'cpu_us'):.1f} "
                f"| {added[0]:.0f} / {added[1]:.0f} |"
            )
    for name in results:
        rates_of = [f"{kind} {median(name, f'{kind}_rate', 'per_s'):,.0f}/s" for kind in ("short", "long", "stream")]
        print(f"{name}: {', '.join(rates_of)}; first event {median(name, 'stream_latency', 'first_p50_us'):.0f} µs")
    for name in names:
        memory = results[name]
        print(
            f"{name} {memory['version']}: {memory['idle_mb']:.0f} MB before, "
            f"{memory['streams_mb']:.0f} MB with {memory['streams']} open streams, "
            f"{memory['after_mb']:.0f} MB after the load"
        )
    print(results.get("stillwatch", {}).get("metrics", ""))


def say(text):
    print(f"gateways: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
