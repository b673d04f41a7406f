"""A mock model server on a free loopback port: Chat Completions, plain and streamed. It also takes OTLP exports.

Exports arrive as OTLP over HTTP in protobuf and are written as OTLP/JSON lines, as a collector's file exporter does.
"""

import base64
import contextlib
import gzip
import http.server
import json
import threading

import traffic


def chunks(text):
    return [text[at : at + 24] for at in range(0, len(text), 24)]


def otlp_json(path, body):
    """An export as OTLP/JSON: ids in hexadecimal, enums as numbers."""
    from google.protobuf import json_format
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    kind = (
        logs_service_pb2.ExportLogsServiceRequest if path.endswith("/logs") else trace_service_pb2.ExportTraceServiceRequest
    )
    export = json_format.MessageToDict(kind.FromString(body), use_integers_for_enums=True)

    def hexadecimal(value):
        if isinstance(value, list):
            for one in value:
                hexadecimal(one)
        elif isinstance(value, dict):
            for key, one in value.items():
                if key in ("traceId", "spanId", "parentSpanId"):
                    value[key] = base64.b64decode(one).hex()
                elif key != "attributes":
                    hexadecimal(one)

    hexadecimal(export)
    return export


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("/chat/completions"):
            self.chat(json.loads(body))
        elif self.path.endswith(("/traces", "/logs")):
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            with self.server.lock, open(self.server.exports, "a", encoding="utf-8") as file:
                file.write(json.dumps(otlp_json(self.path, body)) + "\n")
            self.reply(b"", "application/x-protobuf")
        else:
            self.reply(b"{}", "application/json", 404)

    def do_GET(self):
        self.reply(b"{}", "application/json", 404)

    def chat(self, request):
        with self.server.lock:
            self.server.calls += 1
            number = self.server.calls
        text = traffic.answer(request["messages"])
        about = {"id": f"chatcmpl-{number:06d}", "created": int(traffic.START), "model": request["model"]}
        asked = sum(len(m["content"]) for m in request["messages"]) // 4
        usage = {"prompt_tokens": asked, "completion_tokens": len(text) // 4, "total_tokens": asked + len(text) // 4}
        if not request.get("stream"):
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self.reply(json.dumps(about | {"object": "chat.completion", "choices": [choice], "usage": usage}).encode())
            return
        about["object"] = "chat.completion.chunk"
        deltas = [{"role": "assistant", "content": ""}] + [{"content": part} for part in chunks(text)] + [{}]
        events = [
            about | {"choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}]}
            for delta in deltas
        ]
        if (request.get("stream_options") or {}).get("include_usage"):
            events.append(about | {"choices": [], "usage": usage})
        lines = [json.dumps(event) for event in events] + ["[DONE]"]
        self.reply("".join(f"data: {line}\n\n" for line in lines).encode(), "text/event-stream")

    def reply(self, body, kind="application/json", status=200):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(exports):
    """A server whose `port` is where it listens, whose `calls` counts the model calls, and which writes `exports`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.port, server.calls, server.exports, server.lock = server.server_address[1], 0, exports, threading.Lock()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
