"""One browser and two stacks for all tests of the pages: one that hurries, one on which an order stays where it is."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.pages.browsing import NO_BROWSER, Stack, Visit, chromium, launch, serving, visiting


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip(NO_BROWSER)
    with sync_playwright() as playwright:
        found = launch(playwright, path)
        yield found
        found.close()


@pytest.fixture(scope="package")
def quick(browser: Browser) -> Iterator[Stack]:
    """Each wait is a second: an order is delivered in three. Customers get mails."""
    waits = ("--payment-seconds", "1", "--preparation-seconds", "1", "--delivery-seconds", "1")
    with serving(*waits, "--set", "MailSender=shop@example.com") as stack:
        yield stack


@pytest.fixture(scope="package")
def patient(browser: Browser) -> Iterator[Stack]:
    """Paid at once, then being packed for as long as a test likes."""
    with serving("--payment-seconds", "0", "--preparation-seconds", "3600", "--approval-seconds", "3600") as stack:
        yield stack


Visiting = Callable[..., AbstractContextManager[Visit]]


@pytest.fixture
def visit(browser: Browser) -> Visiting:
    """`with visit(stack, width=360, scheme="dark") as tab:`"""

    def opened(stack: Stack, **more: object) -> AbstractContextManager[Visit]:
        return visiting(browser, stack, **more)  # type: ignore[arg-type]

    return opened
