"""What a page of another site can have a real browser ask of us: nothing but to open one of our pages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from chromium import BROWSER_TESTS, CHROMIUM, QUIET

playwright = pytest.importorskip("playwright.sync_api")

from running import running  # noqa: E402

pytestmark = BROWSER_TESTS

PAGE = """<!doctype html><title>elsewhere</title>
<img src="{url}api/sources/scene/thumbnail.jpg"><script src="{url}assets/any.js"></script><iframe src="{url}"></iframe>
<script>fetch("{url}api/model", {{mode: "no-cors"}}).catch(() => 0)</script>
<a id="page" href="{url}">page</a><a id="status" href="{url}api/status">status</a>"""


@contextmanager
def foreign_site(url: str) -> Iterator[int]:
    """The port of a server of somebody else's."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE.format(url=url).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as site:
        thread = Thread(target=site.serve_forever)
        thread.start()
        try:
            yield site.server_address[1]
        finally:
            site.shutdown()
            thread.join()


def refused(server) -> int:
    """How many requests the server took for another site's."""
    return int(
        re.search(r'^reeflens_refused_total\{cause="foreign"\} (\d+)', server.http.get("metrics").text, re.MULTILINE)[1]
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["another site", "another port of this machine"])
def test_another_sites_page_gets_nothing_and_its_link_to_a_page_works(toy_model, host):
    with (
        running(toy_model) as server,
        foreign_site(server.url) as port,
        playwright.sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page()
        answers = {}
        page.on("response", lambda answer: answers.setdefault(answer.url.removeprefix(server.url), answer.status))
        elsewhere = f"http://{host}:{port}/"
        page.goto(elsewhere, wait_until="networkidle")
        assert refused(server) == 4  # picture, script, frame and fetch; browsers keep the answers from the page anyway
        page.click("#status")
        page.wait_for_url(f"{server.url}api/status")
        assert answers["api/status"] == 403
        page.goto(elsewhere)
        answers.clear()
        page.click("#page")
        page.wait_for_function("() => document.querySelector('#stage')?.dataset.picture === 'yes'")
        assert 403 not in answers.values()
        browser.close()
