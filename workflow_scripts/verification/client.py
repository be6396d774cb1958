"""Label Studio's API, as far as reviewing needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Row

BATCH = 100  # tasks of one import
TITLE = "Review"


class LabelStudio:
    """A server, asked as the lead, who is a member of every reviewer's organisation."""

    def __init__(self, url: str, token: str):
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Token {token}"

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """The JSON of an answer. UserError if there is none, or it is a refusal; it never holds the token."""
        try:
            answer = self._session.request(method, self.url + path, timeout=300, **more)
        except requests.RequestException as error:
            raise UserError(
                f"Label Studio does not answer at {self.url} ({type(error).__name__}). Start it with "
                "`python -m workflow_scripts.cli.review start`, or name its address by --url."
            ) from error
        if answer.status_code == 401:
            raise UserError(
                "Label Studio does not know the token of LABEL_STUDIO_USER_TOKEN. It is the lead's, of the first start."
            )
        if not answer.ok:
            raise UserError(f"Label Studio refused {method} {path} ({answer.status_code}): {answer.text[:300]}")
        return answer.json()

    @contextmanager
    def organisation(self, number: int) -> Iterator[None]:
        """Work inside a reviewer's organisation, and go back."""
        lead = self.ask("GET", "/api/current-user/whoami")
        self._enter(lead["id"], number)
        try:
            yield
        finally:
            self._enter(lead["id"], lead["active_organization"])

    def _enter(self, lead: int, number: int) -> None:
        self.ask("PATCH", f"/api/users/{lead}/", json={"active_organization": number})

    def project(self, config: str | None) -> int | None:
        """The number of the review's project in this organisation, made with a labelling configuration if there is
        none; without a configuration None."""
        found = self.ask("GET", "/api/projects", params={"page_size": 100})["results"]
        number = next((project["id"] for project in found if project["title"] == TITLE), None)
        if config is None:
            return number
        settings = {"title": TITLE, "label_config": config, "show_skip_button": True, "sampling": "Sequential sampling"}
        if number is None:
            return self.ask("POST", "/api/projects", json=settings)["id"]
        self.ask("PATCH", f"/api/projects/{number}/", json=settings)
        return number

    def tasks(self, project: int) -> list[Row]:
        """All tasks of a project with their annotations, as Label Studio exports them."""
        options = {"exportType": "JSON", "download_all_tasks": "true"}
        return self.ask("GET", f"/api/projects/{project}/export", params=options)

    def add(self, project: int, tasks: list[Row]) -> None:
        """Add tasks, given by their data."""
        for start in range(0, len(tasks), BATCH):
            data = [{"data": one} for one in tasks[start : start + BATCH]]
            self.ask("POST", f"/api/projects/{project}/import", json=data)
