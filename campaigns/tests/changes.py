"""Every change that an API call makes of a campaign, and who the history says it was."""

from rest_framework.test import APIClient

from campaigns.tests.api import ROOT
from campaigns.tests.factories import step_body

WRITER = {"type": "token", "issuer": "https://issuer.example/", "id": "writer", "name": "writer"}


def changed_in_every_way(client: APIClient) -> str:
    """The address of a new campaign that went through each change, up to its archiving."""
    url = client.post(ROOT, {"name": "New", "steps": [step_body(0), step_body(1)]})["Location"]
    ids = [step["id"] for step in client.get(f"{url}/steps").json()["results"]]
    for method, path, body in (
        ("patch", "", {"name": "Newer"}),
        ("post", "/steps", step_body(2)),
        ("post", "/steps?on_conflict=shift", step_body(2)),
        ("post", "/steps/bulk", {"steps": [step_body(8), step_body(9)]}),
        ("patch", f"/steps/{ids[0]}", {"delay_minutes": 1}),
        ("delete", f"/steps/{ids[1]}", None),
        ("put", "/steps", {"steps": [step_body(5), step_body(0, id=ids[0])]}),
        ("post", "/activate", None),
        ("post", "/pause", None),
        ("post", "/activate", None),
        ("post", "/complete", None),
        ("post", "/archive", None),
    ):
        assert getattr(client, method)(url + path, body).status_code < 300, path
    return url
