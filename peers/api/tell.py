"""Tells in one line what Schemathesis found, as its report has it; ends with status 1 where not everything was well."""

import json
import sys

with open(sys.argv[1]) as file:
    report = json.load(file)
operations, cases = report["operations"], report["test_cases"]
failures = sum(failure["count"] for failure in report["failures"])
tested, total = operations["tested"], operations["total"]
# An operation that was not tested, or a run that was cut short, would otherwise look as if all were well.
is_whole = report["complete"] and tested == total and not report["errors"] and cases["generated"] >= 20 * total
print(
    f"api: {tested} of {total} operations, {cases['generated']} requests in {report['running_time']:.0f} s, "
    f"{failures} failures, {len(report['errors'])} errors, {'complete' if is_whole else 'NOT COMPLETE'}"
)
sys.exit(0 if is_whole and not failures else 1)
