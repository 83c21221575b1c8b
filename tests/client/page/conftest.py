"""A home in which something has happened, and its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from fastapi.testclient import TestClient
from fedscan.client.page.app import steward_app
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.federation.protocol import RoundReply, RoundRequest
from site_homes import invitation_of

TOKEN = "t" * 43


@pytest.fixture
def busy_home(
    home: SiteHome, make_request: Callable[..., RoundRequest], ask: Callable[..., RoundReply]
) -> SiteHome:
    """A home that has answered one round of a study, while another study waits."""
    first, second = make_request(), make_request("local.steps=2")
    Approvals(home).approve(invitation_of(first, "lungs"), "chest")
    assert ask(first).code == "ok"
    assert ask(second).code == "not-approved"
    return home


@dataclass
class Page:
    """The page's server, asked as the page asks it."""

    client: TestClient

    def act(self, name: str, /, **form: object) -> dict[str, object]:
        """Do something, wait for its end and return the task."""
        answer = self.client.post(f"/api/actions/{name}", json=form)
        assert answer.status_code == 202, answer.text
        while True:
            task = self.client.get(f"/api/tasks/{answer.json()['task']}").json()
            if task["state"] != "running":
                return dict(task)

    def state(self) -> dict[str, object]:
        return dict(self.client.get("/api/state").json())


@pytest.fixture
def page_of() -> Iterator[Callable[[SiteHome], Page]]:
    """Open the page of a home."""
    with ExitStack() as opened:

        def open_page(home: SiteHome) -> Page:
            app = TestClient(steward_app(home, TOKEN), base_url="http://127.0.0.1")
            client = opened.enter_context(app)
            client.headers["Authorization"] = f"Bearer {TOKEN}"
            return Page(client)

        yield open_page


@pytest.fixture
def page(home: SiteHome, page_of: Callable[[SiteHome], Page]) -> Page:
    return page_of(home)
