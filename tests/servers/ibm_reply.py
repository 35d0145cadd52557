"""What the IBM server sends back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Reply:
    """A status and a body."""

    status: int
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def good(data: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(data).encode())


def failure(status: int, words: str, headers: dict[str, str] | None = None) -> Reply:
    """An error in the shape of the API."""
    errors = [{"code": 1000 + status, "message": words, "solution": "", "more_info": ""}]
    return Reply(
        status, json.dumps({"errors": errors, "trace": "tests"}).encode(), headers=headers or {}
    )
