"""Client of Label Studio's API: organisations, projects, tasks and exports."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, overload

import requests

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Row

IMPORT_TASKS = 100  # tasks per import request
REQUEST_SECONDS = 300  # time limit of one request
TITLE = "Review"


class LabelStudio:
    """A server, accessed as the lead, who is a member of every reviewer's organisation."""

    def __init__(self, url: str, token: str):
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Token {token}"

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON body of the response. UserError, never with the token, if there is no response or an error status."""
        try:
            response = self._session.request(method, self.url + path, timeout=REQUEST_SECONDS, **options)
        except requests.RequestException as error:
            raise UserError(
                f"Label Studio does not respond at {self.url} ({type(error).__name__}). Start it with "
                "`capybara review start`, or set its address with --url."
            ) from error
        if response.status_code == 401:
            raise UserError(
                "Label Studio rejects the token in LABEL_STUDIO_USER_TOKEN. Set the lead's token from the first start."
            )
        if not response.ok:
            raise UserError(
                f"Label Studio rejects {method} {path} (status {response.status_code}): {response.text[:300]}"
            )
        return response.json()

    @contextmanager
    def organisation(self, number: int) -> Iterator[None]:
        """Work inside a reviewer's organisation; the lead's active organisation is restored afterwards."""
        lead = self.request("GET", "/api/current-user/whoami")
        self._enter(lead["id"], number)
        try:
            yield
        finally:
            self._enter(lead["id"], lead["active_organization"])

    def _enter(self, lead: int, number: int) -> None:
        self.request("PATCH", f"/api/users/{lead}/", json={"active_organization": number})

    @overload
    def project(self, config: str) -> int: ...

    @overload
    def project(self, config: None) -> int | None: ...

    def project(self, config: str | None) -> int | None:
        """The number of the review project in the active organisation, None without one.

        With a labelling configuration, the project is created if it is missing and updated otherwise.
        """
        projects = self.request("GET", "/api/projects", params={"page_size": 100})["results"]
        number = next((project["id"] for project in projects if project["title"] == TITLE), None)
        if config is None:
            return number
        settings = {"title": TITLE, "label_config": config, "show_skip_button": True, "sampling": "Sequential sampling"}
        if number is None:
            return self.request("POST", "/api/projects", json=settings)["id"]
        self.request("PATCH", f"/api/projects/{number}/", json=settings)
        return number

    def tasks(self, project: int) -> list[Row]:
        """All tasks of a project with their annotations, as Label Studio exports them."""
        options = {"exportType": "JSON", "download_all_tasks": "true"}
        return self.request("GET", f"/api/projects/{project}/export", params=options)

    def add(self, project: int, tasks: list[Row]) -> None:
        """Add tasks to a project; each is given by its data (`page.task`)."""
        for start in range(0, len(tasks), IMPORT_TASKS):
            data = [{"data": task} for task in tasks[start : start + IMPORT_TASKS]]
            self.request("POST", f"/api/projects/{project}/import", json=data)
