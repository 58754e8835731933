"""The demo clinic's neighbour: a hospital that tells it of admissions, visits and results."""

from importlib import resources

import httpx

from polyclinic.foundation.errors import Problem


class NotDeployed(Problem):
    """A channel of the demo clinic was refused."""


def texts() -> list[bytes]:
    """The YAML of each channel."""
    folder = resources.files(__name__)
    return [each.read_bytes() for each in folder.iterdir() if each.name.endswith(".yaml")]


async def deploy(client: httpx.AsyncClient, token: str) -> None:
    """Where integration is installed; the same channel again changes nothing."""
    if (await client.get("/integration/health/ready")).status_code != 200:
        return
    for text in texts():
        headers = {"authorization": f"Bearer {token}"}
        answer = await client.post("/integration/channels", content=text, headers=headers)
        if not answer.is_success:
            raise NotDeployed(f"A channel was refused: {answer.text[:500]}")
