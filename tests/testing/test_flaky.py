"""A flaky server is a real server, and does to real clients what it was told."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from urllib.request import Request, urlopen

import pytest

from mlkit.testing import Flakiness, RateLimit, flaky_server


def _status(url: str) -> int:
    try:
        with urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_it_answers_with_the_body_and_keeps_a_log() -> None:
    """Method, path and ending of each request."""
    with flaky_server(body="a,b\n1,2\n", content_type="text/csv") as server:
        with urlopen(server.url + "flights.csv") as answer:
            assert (answer.read(), answer.headers["Content-Type"]) == (b"a,b\n1,2\n", "text/csv")
        urlopen(Request(server.url + "metrics", data=b"x=1", method="POST")).close()
        log = [(r.number, r.method, r.path, r.ending) for r in server.requests]
    assert log == [(1, "GET", "/flights.csv", 200), (2, "POST", "/metrics", 200)]


def test_it_fails_by_its_pattern() -> None:
    """An HTTP client sees the statuses in this order."""
    with flaky_server(pattern=[503, 500, 200]) as server:
        assert [_status(server.url) for _ in range(4)] == [503, 500, 200, 200]
        assert server.endings == (503, 500, 200, 200)


def test_a_dropped_connection_is_a_connection_error() -> None:
    """So `on: [ConnectionError]` in a retry policy matches it."""
    with flaky_server(pattern=["drop"]) as server:
        with pytest.raises(ConnectionError):
            urlopen(server.url, timeout=10)
        assert _status(server.url) == 200


def test_a_cut_answer_ends_too_early() -> None:
    """Half of the body comes, and the client notices by the announced length."""
    with flaky_server(pattern=["cut"], body="12345678") as server:
        answer = urlopen(server.url, timeout=10)
        with answer, pytest.raises(http.client.IncompleteRead) as caught:
            answer.read()
        assert caught.value.partial == b"1234"


def test_it_is_late_by_its_delay() -> None:
    """And a client with a shorter deadline gives up."""
    with flaky_server(delay_s=0.3) as server:
        start = time.monotonic()
        assert _status(server.url) == 200
        assert time.monotonic() - start >= 0.3
        with pytest.raises(TimeoutError):
            urlopen(server.url, timeout=0.05)


def test_leaving_the_block_waits_for_no_late_answer() -> None:
    """A request that waits for its late answer is cut off."""
    with ThreadPoolExecutor(1) as pool:
        with flaky_server(delay_s=30) as server:
            url = server.url
            waiting = pool.submit(urlopen, url, timeout=20)
            while not server.requests:
                time.sleep(0.01)
            start = time.monotonic()
        assert time.monotonic() - start < 5
        assert isinstance(waiting.exception(timeout=5), ConnectionError)
    with pytest.raises(OSError, match="refused"):
        urlopen(url, timeout=5)


def test_above_the_rate_limit_it_says_when_to_come_back() -> None:
    """429 with Retry-After in whole seconds; the pattern is not used up by it."""
    limit = RateLimit(requests=2, per_s=60)
    with flaky_server(rate_limit=limit, pattern=[200, 200, 503]) as server:
        assert [_status(server.url) for _ in range(2)] == [200, 200]
        with pytest.raises(urllib.error.HTTPError) as caught:
            urlopen(server.url, timeout=10)
        caught.value.close()
        assert (caught.value.code, caught.value.headers["Retry-After"]) == (429, "60")
        assert server.requests[-1].retry_after_s == 60


def test_many_clients_at_once_are_all_answered_and_counted() -> None:
    """By threads: 20 answers of 0.2 s each take far less than one after the other."""
    with flaky_server(delay_s=0.2) as server, ThreadPoolExecutor(20) as pool:
        start = time.monotonic()
        assert set(pool.map(_status, [server.url] * 20)) == {200}
        assert time.monotonic() - start < 2.5
        assert [r.number for r in server.requests] == list(range(1, 21))


def test_settings_come_as_a_value_or_as_fields() -> None:
    """Both at once would leave open which one counts."""
    with flaky_server(Flakiness(pattern=(418,))) as server:
        assert _status(server.url) == 418
    with pytest.raises(TypeError, match="not both"), flaky_server(Flakiness(), seed=1):
        pass


def test_the_server_is_cheap_to_import() -> None:
    """It brings neither the driver nor pandas nor Papermill with it."""
    code = """
import sys
from mlkit.testing import flaky_server
heavy = {"mlkit.driver", "mlkit.api", "pandas", "papermill"}
print(sorted(heavy & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
