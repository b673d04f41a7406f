"""Runs the official clients against a model server directly and through the gateway, and tells every difference.

Both must give the same, byte for byte as far as a client can see it. Ends with status 1 when something differs.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import anthropic_cases
import openai_cases

HERE = pathlib.Path(__file__).parent


def python(base, key):
    results = {}
    for name, module in [("openai", openai_cases), ("anthropic", anthropic_cases)]:
        client = module.client(base, key)
        results |= {f"{name} {case.__name__}": case(client) for case in module.CASES}
    return results


def javascript(base, key):
    command = ["node", HERE / "cases.mjs", base, key]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE).stdout)


def main():
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--direct", required=True, metavar="URL", help="the model server")
    flags.add_argument("--through", required=True, metavar="URL", help="the gateway before it")
    flags.add_argument("--key", required=True, help="an API key that the gateway knows")
    flags = flags.parse_args()
    direct = python(flags.direct, flags.key) | javascript(flags.direct, flags.key)
    through = python(flags.through, flags.key) | javascript(flags.through, flags.key)
    differ = [case for case in direct if direct[case] != through[case]]
    for case in differ:
        print(f"{case}: differs\n  direct:  {json.dumps(direct[case])}\n  through: {json.dumps(through[case])}")
    print(f"{len(direct)} cases, {len(direct) - len(differ)} the same, {len(differ)} different")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
