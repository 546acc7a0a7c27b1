"""One headless Chromium for all tests of a file; each opens pages of its own."""

import pytest
from chromium import CHROMIUM, QUIET


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()
