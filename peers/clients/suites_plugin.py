"""A plugin of pytest: gives the clients of a suite the key in `SUITE_KEY`, and writes to the file `SUITE_RESULTS` how each
test ended and what it exchanged with the server, as JSON.

It looks at both libraries that the clients speak HTTP with, under whatever name a suite imports them.
"""

import contextlib
import hashlib
import importlib
import json
import os
import pathlib

exchanges = []
results = {}


def pytest_configure():
    modules = {id(module): module for module in map(installed, ["httpx", "httpx2"]) if module}
    for module in modules.values():
        watch(module.Client)
        watch_async(module.AsyncClient)


def pytest_collection_finish(session):
    for plugin in session.config.pluginmanager.get_plugins():
        for name in ["api_key", "admin_api_key"]:
            if pathlib.Path(getattr(plugin, "__file__", None) or "").name == "conftest.py" and hasattr(plugin, name):
                setattr(plugin, name, os.environ["SUITE_KEY"])


def pytest_runtest_logstart():
    exchanges.clear()


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        crash = getattr(report.longrepr, "reprcrash", None)
        results[report.nodeid] = {
            "outcome": report.outcome,
            "message": crash.message if crash else "",
            "exchanges": [told(*exchange) for exchange in exchanges],
        }


def pytest_sessionfinish():
    pathlib.Path(os.environ["SUITE_RESULTS"]).write_text(json.dumps(results), encoding="utf-8")


def installed(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def watch(client):
    send = client.send

    def watched(self, request, **settings):
        with told_of_failure(request):
            response = send(self, request, **settings)
        if response.is_error:
            response.read()
        exchanges.append((request, response, None))
        return response

    client.send = watched


def watch_async(client):
    send = client.send

    async def watched(self, request, **settings):
        with told_of_failure(request):
            response = await send(self, request, **settings)
        if response.is_error:
            await response.aread()
        exchanges.append((request, response, None))
        return response

    client.send = watched


@contextlib.contextmanager
def told_of_failure(request):
    try:
        yield
    except Exception as error:
        exchanges.append((request, None, error))
        raise


def told(request, response, failure):
    """What a client saw of an exchange; of a body that was left unread, nothing."""
    body = getattr(response, "_content", None)
    sent = getattr(request, "_content", None)
    headers = response.headers if response is not None else {}
    return {
        "method": request.method,
        "path": request.url.path,
        "sent": sent.decode(errors="replace") if sent and (response is None or response.is_error) else None,
        "status": response.status_code if response is not None else None,
        "type": headers.get("content-type"),
        "valid": headers.get("x-steady-request-valid"),
        "digest": hashlib.sha256(body).hexdigest() if body is not None else None,
        "error": repr(failure) if failure else body.decode(errors="replace") if body and response.is_error else None,
    }
