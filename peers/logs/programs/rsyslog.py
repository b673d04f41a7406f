"""rsyslog (Debian's package) as a shipper: it follows a file of logged bodies and writes each line as text inside JSON.

The service that logs the bodies is this script; the wrapping is rsyslog's own, with a template that says `jsonf`.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.request

import common

import traffic

CONFIG = """
global(workDirectory="{here}" maxMessageSize="256k")
module(load="imfile" mode="polling" pollingInterval="1")
input(type="imfile" file="{source}" tag="storefront:" ruleset="ship")
template(name="wrapped" type="list" option.jsonf="on") {{
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="tag" name="syslogtag" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}}
ruleset(name="ship") {{ action(type="omfile" file="{log}" template="wrapped") }}
"""

program = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")
if not program:
    print("rsyslogd is not installed (Debian: rsyslog)")
    sys.exit(3)

here = pathlib.Path.cwd()
source, log = here / "bodies.txt", pathlib.Path(common.LOG)
with open(source, "w", encoding="utf-8") as file:
    for call in traffic.traffic()[0]:
        request = {name: value for name, value in common.arguments(call).items() if not name.startswith("stream")}
        body = json.dumps(request).encode()
        asked = urllib.request.Request(f"{common.BASE}/v1/chat/completions", body, {"content-type": "application/json"})
        with urllib.request.urlopen(asked) as answer:
            response = json.load(answer)
        line = {
            "timestamp": traffic.rfc3339(call["time"]),
            "account": call["account"],
            "request": request,
            "response": response,
        }
        file.write(json.dumps(line) + "\n")
sent = source.read_bytes().count(b"\n")

(here / "rsyslog.conf").write_text(CONFIG.format(here=here, source=source, log=log))
shipper = subprocess.Popen([program, "-n", "-f", here / "rsyslog.conf", "-i", here / "rsyslog.pid"])
try:
    for _ in range(60):
        time.sleep(0.5)
        if shipper.poll() is not None or (log.exists() and log.read_bytes().count(b"\n") >= sent):
            break
finally:
    shipper.terminate()
    shipper.wait(10)
