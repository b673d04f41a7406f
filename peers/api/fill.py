"""Puts something of every kind into a gateway over its admin API, has it record an exchange, and writes down what is there.

With a campaign that stands there is more to ask for: a verdict that may be taken back, a response that waits for approval.
"""

import argparse
import json
import os
import time
import urllib.error
import urllib.request


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--admin", required=True)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--out", required=True, help="known ids by the path that they belong to, as JSON")
    asked = parser.parse_args()

    def ask(method, path, body=None, to=asked.admin, key=os.environ["STILLWATCH_ADMIN_KEY"]):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(to + path, data, headers, method=method)) as answer:
            return json.loads(answer.read() or "null")

    def add(what, **body):
        return ask("POST", f"/api/v1/{what}", body)

    add("organisations", id="org_fuzz", assurance="contract")
    for number in (1, 2, 3):
        add("accounts", id=f"acc_fuzz_{number}", organisation="org_fuzz", name=f"Account {number}", region="eu")
    keys = [add("keys", account=f"acc_fuzz_{number}", name="laptop") for number in (1, 2, 3)]
    add("quotas", id="fuzz-each", of="each_account", unit="requests", amount=1_000_000, per="minute")
    add("quotas", id="fuzz-group", of={"group": ["acc_fuzz_1"]}, unit="tokens", amount=1_000_000, per="day")
    for name, role in (("ann", "admin"), ("bob", "responder"), ("cleo", "viewer")):
        add("people", name=name, role=role)
    case = add("cases", title="What was seen", severity="high", campaigns=["cmp_1"], author="ann")
    add(f"cases/{case['id']}/notes", text="It was looked at.", author="bob")
    add("appeals", account="acc_fuzz_2", text="It was not us.", author="ann")
    add("responses", target={"account": "acc_fuzz_3"}, rung="observe", reason="To see more", author="ann")
    ask("PUT", f"/api/v1/certificates/{'A' * 43}", {"account": "acc_fuzz_1"})
    chat = {"model": "mock", "messages": [{"role": "user", "content": "What is a heap?"}]}
    ask("POST", "/v1/chat/completions", chat, to=asked.gateway, key=keys[0]["key"])

    def until(is_so, what):
        for _ in range(600):
            if is_so():
                return
            time.sleep(0.1)
        raise SystemExit(f"api: {what}")

    # Until then findings are not known yet, and there is no lake to search in.
    until(lambda: ask("GET", "/api/v1/detection")["has_caught_up"], "detection does not come to the end of the record")
    until(lambda: has_lake(ask), "there is no lake")

    campaigns = [campaign["id"] for campaign in ask("GET", "/api/v1/campaigns")["campaigns"]]
    verdicts, waiting = [], []
    for campaign in campaigns:
        for _ in range(20):
            said = add("verdicts", finding=campaign, verdict="benign", reason="It was a lesson", author="ann")
            verdicts.append(said["id"])
            taken = add("responses", target={"campaign": campaign}, rung="block", reason="To end it", author="ann")
            waiting += [taken["id"]] if taken["state"] == "waits" else []
    known = {
        "/api/v1/certificates/{thumbprint}": ["A" * 43, "B" * 43],
        # `ann` is the last one who may manage people, and has to stay so.
        "/api/v1/people/{id}": ["ann", "bob", "cleo"],
        "/api/v1/people/{id}/password": ["bob", "cleo"],
        "/api/v1/responses/{id}/approve": waiting,
        "/api/v1/verdicts/{id}/undo": verdicts,
        "campaigns": campaigns,
    }
    with open(asked.out, "w") as out:
        json.dump(known, out)


def has_lake(ask):
    try:
        return bool(ask("GET", "/api/v1/exchanges")["exchanges"])
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise SystemExit(f"api: exchanges cannot be searched: {error.code} {error.read().decode()}") from None
        return False


if __name__ == "__main__":
    main()
