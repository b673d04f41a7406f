"""Audits as SARIF and OSCAL, checked by programs of others; broken ones have to be refused."""

import argparse
import copy
import json
import pathlib
import subprocess
import sys
import tempfile

from trestle.common.err import TrestleError
from trestle.oscal.assessment_results import AssessmentResults

WEAK = """
listen = "0.0.0.0:8080"
admin = "0.0.0.0:8081"
[detection]
enabled = false
[ledger]
enabled = false
[[upstream]]
url = "http://models.example:8000"
"""
ACCEPTED = """
[[accept]]
rule = "detection-off"
reason = "the hunt runs over the logs"
by = "ann"
until = "2100-01-01T00:00:00Z"
"""


def schema_refuses(schema, path):
    """What the schema says against a file, if it says anything."""
    command = [pathlib.Path(sys.executable).parent / "check-jsonschema", "--schemafile", schema, path]
    ran = subprocess.run(command, capture_output=True, text=True)
    return ran.stdout + ran.stderr if ran.returncode else None


def multitool_refuses(tool, path):
    """What Microsoft's program says against a file. It ends with 0 whatever it finds."""
    report = path.with_suffix(".report")
    ran = subprocess.run([tool, "validate", path, "--output", report, "--log", "ForceOverwrite"], capture_output=True, text=True)
    if not report.exists():
        return ran.stdout + ran.stderr
    results = json.loads(report.read_text(encoding="utf-8-sig"))["runs"][0].get("results", [])
    errors = [result for result in results if result.get("level", "warning") == "error"]
    return json.dumps(errors, indent=1) if errors else None


def trestle_refuses(path):
    """What compliance-trestle says against a file."""
    try:
        read = AssessmentResults.oscal_read(path)
    except TrestleError as error:
        return str(error)
    return None if read else "it reads nothing"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--node", type=pathlib.Path, required=True)
    args = parser.parse_args()
    packages = args.node / "@microsoft"
    schema = next(packages.glob("sarif-multitool-linux*/sarif-2.1.0.json"))
    tool = next(packages.glob("sarif-multitool-linux*/Sarif.Multitool"))
    passed, failed = 0, []

    def case(name, holds, told=""):
        nonlocal passed
        print(f"{'ok' if holds else 'FAILED'}\t{name}{'' if holds else ': ' + str(told)[:2_000]}")
        if holds:
            passed += 1
        else:
            failed.append(name)

    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        (work / "weak.toml").write_text(WEAK)
        (work / "accept.toml").write_text(ACCEPTED)

        def audit(form, *more):
            out = work / ("audit.sarif" if form == "sarif" else "audit.json")
            words = [args.binary, "audit", "--config", work / "weak.toml", "--data", work / "data", "--without", "host", "--format", form]
            ran = subprocess.run([*words, "--out", out, *more], capture_output=True, text=True)
            assert 11 <= ran.returncode <= 14, ran
            return out

        (work / "data").mkdir()
        # The second one is compared with the first.
        for name, more in {"regular": [], "auditor, with an accepted risk": ["--persona", "auditor", "--accept", work / "accept.toml"]}.items():
            sarif = audit("sarif", *more)
            told = schema_refuses(schema, sarif)
            case(f"SARIF, {name}: the schema takes it", told is None, told)
            told = multitool_refuses(tool, sarif)
            case(f"SARIF, {name}: Microsoft's program takes it", told is None, told)
            oscal = audit("oscal", *more)
            told = trestle_refuses(oscal)
            case(f"OSCAL, {name}: compliance-trestle takes it", told is None, told)
        run = json.loads(sarif.read_text())["runs"][0]
        case("SARIF: an accepted risk is suppressed", any(result.get("suppressions") for result in run["results"]))
        case("SARIF: what is new since the last audit is told", {result["baselineState"] for result in run["results"]} == {"new", "unchanged"})
        whole = json.loads(oscal.read_text())
        again = work / "again.json"
        AssessmentResults.oscal_read(oscal).oscal_write(again)
        case("OSCAL: written again by compliance-trestle it says as much", len(json.loads(again.read_text())["assessment-results"]["results"][0]["findings"]) == len(whole["assessment-results"]["results"][0]["findings"]))

        # Whoever takes anything shows nothing.
        broken = copy.deepcopy(json.loads(sarif.read_text()))
        del broken["runs"][0]["results"][0]["message"]
        path = work / "broken.sarif"
        path.write_text(json.dumps(broken))
        case("SARIF without a message: the schema refuses it", schema_refuses(schema, path))
        case("SARIF without a message: Microsoft's program refuses it", multitool_refuses(tool, path))
        del whole["assessment-results"]["results"][0]["start"]
        path = work / "broken.json"
        path.write_text(json.dumps(whole))
        case("OSCAL without a start: compliance-trestle refuses it", trestle_refuses(path))
    print(f"{passed} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


main()
