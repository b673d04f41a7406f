"""Sends simulated traffic by way of programs that ask or tell Stillwatch, and watches what detection makes of it."""

import argparse
import contextlib
import json
import os
import pathlib
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import timedelta

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "live"))
import live

HERE = pathlib.Path(__file__).parent
WAYS = ["envoy", "litellm", "otlp-grpc", "otlp-http"]
ASKING = {"envoy", "litellm"}
SENSOR = """
[detection]
lateness_seconds = 3600
[sensor]
listen = "127.0.0.1:0"
key_file = "sensor-key"
envoy_account_header = "x-account"
litellm_account = "user_api_key_user_id"
"""
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
          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              transport_api_version: V3
              with_request_body: {{max_request_bytes: 33554432, pack_as_bytes: true}}
              grpc_service:
                envoy_grpc: {{cluster_name: stillwatch}}
                timeout: 5s
                initial_metadata: [{{key: authorization, value: "Bearer {key}"}}]
          - name: envoy.filters.http.ext_proc
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor
              observability_mode: true
              failure_mode_allow: true
              processing_mode: {{request_header_mode: SEND, response_header_mode: SEND, request_body_mode: STREAMED, response_body_mode: STREAMED}}
              request_attributes: [source.address]
              grpc_service:
                envoy_grpc: {{cluster_name: stillwatch}}
                initial_metadata: [{{key: authorization, value: "Bearer {key}"}}]
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: model
    load_assignment: {{cluster_name: model, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: {model[0]}, port_value: {model[1]}}}}}}}}}]}}]}}
  - name: stillwatch
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http2_protocol_options: {{}}}}
    load_assignment: {{cluster_name: stillwatch, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: {sensors[0]}, port_value: {sensors[1]}}}}}}}}}]}}]}}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def place(url):
    host, port = url.removeprefix("http://").rsplit(":", 1)
    return host, int(port)


@contextlib.contextmanager
def running(command, log, environment=None):
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen([str(part) for part in command], stdout=file, stderr=file, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def reached(process, port, log):
    for _ in range(1200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"nobody listens on {port}: {pathlib.Path(log).read_text(encoding='utf-8')[-2000:]}")


@contextlib.contextmanager
def mock(binary, folder):
    """A model, and where it is."""
    log = folder / "mock.log"
    with running([binary], log):
        for _ in range(100):
            if log.read_text(encoding="utf-8").endswith("\n"):
                break
            time.sleep(0.1)
        yield place(log.read_text(encoding="utf-8").strip())


@contextlib.contextmanager
def envoy(folder, model, sensors, key):
    port = free_port()
    configuration = folder / "envoy.yaml"
    configuration.write_text(ENVOY.format(port=port, model=model, sensors=sensors, key=key), encoding="utf-8")
    program = pathlib.Path(sys.executable).parent / "envoy"
    command = [program, "-c", configuration, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warn"]
    with running(command, folder / "envoy.log") as process:
        reached(process, port, folder / "envoy.log")
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def litellm(folder, model, sensors, key):
    port = free_port()
    (folder / "accounts.py").write_text((HERE / "accounts.py").read_text(encoding="utf-8"), encoding="utf-8")
    server = {"model": "openai/mock-1", "api_base": f"http://{model[0]}:{model[1]}/v1", "api_key": "unused"}
    guardrail = {
        "guardrail": "generic_guardrail_api",
        "mode": ["pre_call", "post_call"],
        "api_base": f"http://{sensors[0]}:{sensors[1]}",
        "api_key": key,
        "default_on": True,
        "extra_headers": ["x-forwarded-for", "user-agent"],
    }
    configuration = {
        "model_list": [{"model_name": "*", "litellm_params": server}],
        "litellm_settings": {"drop_params": True},
        "guardrails": [{"guardrail_name": "stillwatch", "litellm_params": guardrail}],
        "general_settings": {"custom_auth": "accounts.user_api_key_auth"},
    }
    # JSON is YAML, too.
    (folder / "litellm.yaml").write_text(json.dumps(configuration), encoding="utf-8")
    program = pathlib.Path(sys.executable).parent / "litellm"
    command = [program, "--config", folder / "litellm.yaml", "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    local = {"LITELLM_MASTER_KEY": f"sk-{secrets.token_hex(32)}", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "DISABLE_ADMIN_UI": "True", "LITELLM_LOG": "ERROR"}
    with running(command, folder / "litellm.log", os.environ | local) as process:
        reached(process, port, folder / "litellm.log")
        yield f"127.0.0.1:{port}"


class Spans(live.Drive):
    """Traffic that an instrumented program tells of."""

    def __init__(self, way, sensors, key, begins, speed, requests, records):
        super().__init__("", begins, speed, requests)
        self.records = records
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        if way == "otlp-grpc":
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter(endpoint=f"http://{sensors[0]}:{sensors[1]}", insecure=True, headers={"authorization": f"Bearer {key}"})
        else:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter(endpoint=f"http://{sensors[0]}:{sensors[1]}/v1/traces", headers={"authorization": f"Bearer {key}"})
        self.provider = TracerProvider()
        self.provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=65536, schedule_delay_millis=200))

    def send(self):
        tracer = self.provider.get_tracer("drill")
        while True:
            with self.lock:
                index, self.next = self.next, self.next + 1
            if index >= len(self.requests):
                return
            due, account, _, text = self.requests[index]
            wait = (due - self.begins).total_seconds() / self.speed - (time.monotonic() - self.began)
            time.sleep(max(wait, 0))
            start = int(due.timestamp() * 1e9)
            asked = [{"role": m["role"], "parts": [{"type": "text", "content": str(m["content"])}]} for m in json.loads(text)["messages"]]
            client = self.records[index].get("client", {})
            attributes = {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "mock-1",
                "user.id": account,
                "client.address": client.get("ip", ""),
                "user_agent.original": client.get("user_agent", ""),
                "gen_ai.input.messages": json.dumps(asked),
            }
            tracer.start_span("chat mock-1", start_time=start, attributes=attributes).end(start + 10**9)
            self.answers[index] = (account, 200)
            with self.lock:
                self.sent.append((account, 200))

    def close(self):
        self.provider.shutdown()


def block(admin, story, drive, threads):
    """Blocks the first campaign as soon as it is detected, and tells what comes later."""
    blocked = None
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.2)
        for campaign in admin.ask("GET", "/campaigns")["campaigns"]:
            if blocked is not None:
                continue
            story.tell(f"{campaign['id']} is detected, {campaign['accounts']} accounts, 10^{campaign['log10_e']:.1f}")
            new = {"target": {"campaign": campaign["id"]}, "rung": "block", "joiners": "inherit", "reason": "drill", "author": "ann"}
            taken = admin.ask("POST", "/responses", new)
            if taken["state"] == "waits":
                taken = admin.ask("POST", f"/responses/{taken['id']}/approve", {"author": "bob"})
            blocked = len(drive.sent)
            story.tell(f"{campaign['id']} is blocked, {taken['accounts']} accounts")
    return blocked


def through(way, args, folder, traffic):
    """Drives traffic one way; what went wrong."""
    records = sorted(live.lines(traffic / "exchanges.jsonl"), key=lambda record: live.instant(record["time"]))
    labels = [label for label in live.lines(traffic / "labels.jsonl") if label.get("campaign")]
    campaigns = {label["account"]: label["campaign"] for label in labels if "account" in label}
    first, last = live.instant(records[0]["time"]), live.instant(records[-1]["time"])
    speed = max(1, round((last - first).total_seconds() / (args.minutes * 60)))
    key = secrets.token_hex(32)
    (folder / "sensor-key").write_text(key, encoding="utf-8")
    process, ready = live.start(args.binary, folder, first - timedelta(days=1), 1)
    try:
        live.accounts(live.Admin(ready), live.lines(traffic / "accounts.jsonl"), {record["account"] for record in records})
    finally:
        live.end(process)
    prepared = []
    for record in records:
        headers = live.headers(record, record["account"]) | {"x-account": record["account"]}
        prepared.append((live.instant(record["time"]), record["account"], headers, live.body(record)))
    with contextlib.ExitStack() as stack:
        model = stack.enter_context(mock(args.mock, folder))
        process, ready = live.start(args.binary, folder, first, speed)
        try:
            sensors = place(ready["sensors"])
            admin = live.Admin(ready)
            if way in ASKING:
                program = envoy if way == "envoy" else litellm
                address = stack.enter_context(program(folder, model, sensors, key))
                # The time that the program took to start is not the traffic's.
                live.end(process)
                process, ready = restarted(args, folder, first, speed, sensors)
                admin = live.Admin(ready)
                drive = live.Drive(address, first, speed, prepared)
            else:
                drive = Spans(way, sensors, key, first, speed, prepared, records)
            threads = drive.run()
            story = live.Story(drive, campaigns)
            blocked = block(admin, story, drive, threads)
            if isinstance(drive, Spans):
                drive.close()
            time.sleep(8)
            live.summary(admin, drive, campaigns)
            found = found_accounts(admin)
        finally:
            live.end(process)
    live.compare(args, folder, story)
    return judged(way, drive, campaigns, blocked, found)


def restarted(args, folder, first, speed, sensors):
    """The gateway anew, with sensors on the port that they had."""
    before = live.CONFIGURATION
    live.CONFIGURATION = before.replace('[sensor]\nlisten = "127.0.0.1:0"', f'[sensor]\nlisten = "{sensors[0]}:{sensors[1]}"')
    try:
        return live.start(args.binary, folder, first, speed)
    finally:
        live.CONFIGURATION = before


def found_accounts(admin):
    campaigns = admin.ask("GET", "/campaigns")["campaigns"]
    pages = [admin.ask("GET", f"/campaigns/{campaign['id']}?limit=1000")["members"] for campaign in campaigns]
    return {member["account"] for page in pages for member in page}


def judged(way, drive, campaigns, blocked, found):
    wrong = []
    right = len(found & campaigns.keys())
    if right * 2 < len(campaigns):
        wrong.append(f"{way}: {right} of {len(campaigns)} accounts of the campaign were found")
    if way in ASKING and blocked is not None:
        after = Counter((account in found and account in campaigns, status) for account, status in drive.sent[blocked + live.CONNECTIONS :])
        passed, refused = after[True, 200], sum(count for (member, status), count in after.items() if member and status != 200)
        print(f"{way}: after the block {refused} requests of members were refused and {passed} passed")
        if refused == 0 or passed > refused / 10:
            wrong.append(f"{way}: the block was not obeyed")
    honest = [status for account, status in drive.answers if account not in campaigns]
    if any(status != 200 for status in honest):
        wrong.append(f"{way}: {sum(status != 200 for status in honest)} of {len(honest)} honest requests were not answered")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ways", nargs="*", choices=[*WAYS, []], default=WAYS, help="which of them")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--mock", required=True)
    parser.add_argument("--scenario", default="hydra")
    parser.add_argument("--scale", default="0.1")
    parser.add_argument("--minutes", type=float, default=1.5, help="how long the traffic is to take each way")
    parser.add_argument("--keep", help="folder to keep everything in")
    args = parser.parse_args()
    live.CONFIGURATION += SENSOR
    wrong = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(args.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        traffic = folder / "traffic"
        command = [args.binary, "simulate", args.scenario, "--out", traffic, "--overwrite", "--scale", args.scale]
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for way in args.ways:
            print(f"--- {way}", flush=True)
            own = folder / way
            own.mkdir(exist_ok=True)
            wrong += through(way, args, own, traffic)
    print("\n".join(wrong) or "the campaign was found each way, and every block was obeyed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
