"""Alerts arrive at a real server, and whatever that does harms nobody and shows no secret."""

import json
import logging
import random
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from collapse_guard import Alert, ArgumentError
from collapse_guard.integrations import AppriseSink

pytest.importorskip("apprise", reason="apprise is not installed")

ALERT = Alert("tail_gap above 0.2", "tail_gap", 0.3, 0.2, 0.01, 8, "warn", "30% is gone.")
SECRETS = ("hunter2", "t0ken")


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.how, self.got, self.release = "takes", list[dict](), threading.Event()

    @property
    def url(self) -> str:
        return f"json://me:hunter2@127.0.0.1:{self.server_port}/t0ken"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(json.loads(body))
        how = self.server.how
        if how == "hangs":
            self.server.release.wait(30)
        if how in ("hangs", "drops"):
            self.connection.close()
            return
        self.send_response({"takes": 200, "refuses": 500, "page": 404}[how])
        self.end_headers()
        self.wfile.write(b"<html>t0ken hunter2 is wrong</html>")

    def log_message(self, *given: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.release.set()
        server.shutdown()


def test_an_alert_arrives_and_is_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    before = random.getstate()
    sink = AppriseSink([server.url])
    began = time.monotonic()
    sink(ALERT)
    assert time.monotonic() - began < 0.2
    assert sink.flush()
    (got,) = server.got
    assert got["title"] == "collapse_guard: tail_gap above 0.2, step 8"
    assert (got["message"], got["type"]) == ("30% is gone.", "warning")
    assert [record.message for record in caplog.records] == ["30% is gone."]
    assert random.getstate() == before


def test_what_comes_meanwhile_goes_together(server: Server) -> None:
    sink = AppriseSink(server.url, most=50)
    for _ in range(12):
        sink(ALERT)
    assert sink.flush()
    assert 1 <= len(server.got) <= 3
    assert sum(got["message"].count("30% is gone.") for got in server.got) == 12


@pytest.mark.parametrize("how", ["refuses", "page", "drops", "hangs"])
def test_what_the_server_does_harms_nobody(
    server: Server, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], how: str
) -> None:
    caplog.set_level(logging.DEBUG)
    server.how = how
    sink = AppriseSink(server.url, timeout=3.0 if how == "hangs" else 20.0)
    sink(ALERT)
    sink.flush()
    for _ in range(50):
        if "not delivered" in caplog.text:
            break
        time.sleep(0.1)
    assert server.got
    assert "1 alerts were not delivered to number 1 of 1 services" in caplog.text
    shown = caplog.text + repr(sink) + "".join(capfd.readouterr())
    assert not any(secret in shown for secret in SECRETS)


@pytest.mark.parametrize("urls", ["hunter2", "nowhere://me:hunter2@t0ken", [], [7], b"t0ken"])
def test_a_wrong_url_is_refused_without_being_shown(
    urls: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ArgumentError, match="urls") as raised:
        AppriseSink(urls)
    assert raised.value.__cause__ is None
    assert not any(secret in str(raised.value) + caplog.text for secret in SECRETS)
