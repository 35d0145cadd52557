"""The end points of the IBM server."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tests.servers.ibm_faults import Fault
from tests.servers.ibm_reply import Reply, failure, good

if TYPE_CHECKING:
    from tests.servers.ibm_server import IbmServer, Request

_PLAN = "plan-of-tests"


def answer(ibm: IbmServer, request: Request) -> Reply:
    """What the server replies to a request without a fault."""
    if request.body and "json" in (request.headers.get("Content-Type") or ""):
        request.data = json.loads(request.body)
    path = request.path
    if path.startswith("/control/"):
        return _control(ibm, request, path.removeprefix("/control/"))
    if path == "/identity/token":
        return _token(ibm, request)
    if not _known(ibm, request.headers.get("Authorization") or ""):
        return failure(401, "the token is missing or not valid")
    if path == "/v3/resources/search":
        return good({"items": [_instance()], "limit": 100})
    if path == f"/{_PLAN}":
        overview = {"en": {"display_name": "Open"}}
        return good({"overview_ui": overview, "metadata": {"pricing": {"type": "free"}}})
    if not path.startswith("/api/v1"):
        return failure(404, f"no such path: {path}")
    if request.headers.get("Service-CRN") != _instance()["crn"]:
        return failure(403, "the instance is not one of this account")
    return _api(ibm, request, path.removeprefix("/api/v1"))


def _known(ibm: IbmServer, sent: str) -> bool:
    """Whether a token is one of ours; IBM takes bare API keys too."""
    kind, _, word = sent.partition(" ")
    return word in ibm.keys if kind == "apikey" else kind == "Bearer" and ibm.accepts(word)


def ready() -> None:
    """Load what jobs are run with."""
    from tests.servers.ibm_run import prepare

    prepare()


def _instance() -> dict[str, Any]:
    from tests.servers.ibm_server import CRN

    return {
        "crn": CRN,
        "name": "tests",
        "service_plan_unique_id": _PLAN,
        "doc": {"extensions": [{"backends": "all"}]},
        "tags": [],
    }


def _token(ibm: IbmServer, request: Request) -> Reply:
    form = parse_qs(request.body.decode())
    if form.get("apikey", [""])[0] not in ibm.keys:
        words = {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}
        return Reply(400, json.dumps(words).encode())
    token, made, ends = ibm.token()
    return good(
        {
            "access_token": token,
            "refresh_token": "not_supported",
            "token_type": "Bearer",
            "expires_in": ends - made,
            "expiration": ends,
        }
    )


def _api(ibm: IbmServer, request: Request, path: str) -> Reply:
    method, store = request.method, ibm.store
    if path == "/backends":
        waiting = {name: _waiting(ibm, name) for name in ibm.devices}
        return good({"devices": [d.line(waiting[d.name]) for d in ibm.devices.values()]})
    if path == "/instances/usage":
        return good({"usage_consumed_seconds": 0, "usage_limit_seconds": 600})
    if path == "/jobs":
        return _accept(ibm, request) if method == "POST" else _list(ibm, request)
    if path == "/sessions" and method == "POST":
        made = store.open_session(request.data.get("backend", ""), request.data.get("mode", ""))
        return good({"id": made, "backend_name": request.data.get("backend")})
    if match := re.fullmatch(r"/sessions/(\w+)(/close)?", path):
        return _session(ibm, method, match[1])
    if match := re.fullmatch(r"/backends/(\w+)/(configuration|properties|status)", path):
        return _device(ibm, match[1], match[2])
    if match := re.fullmatch(r"/jobs/(\w+)(?:/(results|metrics|cancel|tags|logs))?", path):
        return _job(ibm, request, match[1], match[2] or "")
    return failure(404, f"no such path: {path}")


def _waiting(ibm: IbmServer, device: str) -> int:
    return sum(1 for row in ibm.store.jobs(backend=device) if row["state"] == "Queued")


def _device(ibm: IbmServer, name: str, what: str) -> Reply:
    device = ibm.devices.get(name)
    if device is None:
        return failure(404, f"no device {name}")
    if what == "status":
        return good(
            {
                "state": device.state,
                "status": device.status,
                "length_queue": _waiting(ibm, name),
                "backend_version": "1.0.0",
            }
        )
    return good(device.configuration() if what == "configuration" else device.properties())


def _accept(ibm: IbmServer, request: Request) -> Reply:
    body = request.data
    device = ibm.devices.get(body.get("backend", ""))
    if device is None:
        return failure(404, f"no device {body.get('backend')}")
    session = body.get("session_id")
    if session:
        row = ibm.store.session(session)
        if row is None or not row["open"]:
            return failure(400, f"session {session} takes no jobs")
    shots = int(body["params"].get("quantum_program", {}).get("shots", 1))
    items = len(body["params"].get("quantum_program", {}).get("items", ()))
    conf = device.configuration()
    if shots > conf["max_shots"] or items > conf["max_experiments"]:
        return failure(400, f"{items} circuits of {shots} shots are beyond the device's limits")
    made = ibm.store.create(body, cost=2 + 250e-6 * shots * items)
    found = {"id": made["id"], "backend": device.name}
    return good(found | ({"session_id": session} if session else {}))


def _list(ibm: IbmServer, request: Request) -> Reply:
    def one(name: str, default: str) -> str:
        return request.query.get(name, [default])[0]

    rows = ibm.store.jobs(
        tags=request.query.get("tags", []),
        backend=one("backend", "") or None,
        **({"session": one("session_id", "")} if "session_id" in request.query else {}),
        **({"program": one("program", "")} if "program" in request.query else {}),
    )
    if "pending" in request.query:
        wanted = one("pending", "") == "true"
        rows = [row for row in rows if (row["state"] in ("Queued", "Running")) is wanted]
    if one("sort", "DESC") == "ASC":
        rows.reverse()
    if ibm.lag:
        rows = rows[1:] if ibm.lag >= 1 else rows
        ibm.lag -= 1
    start, limit = int(one("offset", "0")), min(200, int(one("limit", "200")))
    page = [_told(row) for row in rows[start : start + limit]]
    return good({"jobs": page, "count": len(rows), "limit": limit, "offset": start})


def _told(row: sqlite3.Row, *, params: bool = False) -> dict[str, Any]:
    found = {
        "id": row["id"],
        "backend": row["backend"],
        "state": {"status": row["state"], "reason": row["reason"] or ""},
        "status": row["state"],
        "program": {"id": row["program"]},
        "created": row["created"],
        "runtime": "",
        "tags": json.loads(row["tags"]),
        "private": False,
        "estimated_running_time_seconds": row["cost"],
        "usage": {"seconds": row["cost"] if row["state"] == "Completed" else 0},
    }
    if row["session"]:
        found["session_id"] = row["session"]
    if params:
        found["params"] = json.loads(row["params"])
    return found


def _job(ibm: IbmServer, request: Request, id: str, what: str) -> Reply:
    store, method = ibm.store, request.method
    row = store.poll(id) if not what and method == "GET" else store.job(id)
    if row is None:
        return failure(404, f"Job not found. Job ID: {id}")
    if not what:
        if method == "DELETE":
            store.delete(id)
            return Reply(204)
        whole = request.query.get("exclude_params", ["false"])[0] != "true"
        return good(_told(row, params=whole))
    if what == "cancel":
        if store.cancel(id):
            return Reply(204)
        return failure(409, f"job {id} is {row['state']} and cannot be cancelled")
    if what == "tags":
        store.change(id, tags=json.dumps(request.data["tags"]))
        return Reply(204)
    if what == "metrics":
        return good(_metrics(ibm, row))
    if what == "logs":
        return Reply(200, b"", "text/plain")
    return _result(ibm, row)


def _metrics(ibm: IbmServer, row: sqlite3.Row) -> dict[str, Any]:
    done = row["state"] == "Completed"
    found: dict[str, Any] = {
        "timestamps": {k: row[k] for k in ("created", "running", "finished")},
        "usage": {
            "status": "completed" if done else "pending",
            "quantum_seconds": row["cost"] if done else 0,
            "qpu_charge_time_seconds": row["cost"] if done else 0,
        },
    }
    if row["state"] == "Queued":
        found["position_in_queue"] = ibm.store.ahead(row)
    return found


def _result(ibm: IbmServer, row: sqlite3.Row) -> Reply:
    if row["state"] == "Failed":
        return Reply(200, f"Traceback: {row['reason']}".encode(), "text/plain")
    if row["state"] != "Completed":
        return failure(404, f"job {row['id']} has no results: it is {row['state']}")
    text = row["result"]
    if text is None:
        from tests.servers.ibm_run import run

        snapshot = ibm.devices[row["backend"]].snapshot
        text = run(json.loads(row["params"]), snapshot, row["seed"], row["spoil"])
        ibm.store.change(row["id"], result=text)
    ibm.store.change(row["id"], fetched=row["fetched"] + 1)
    return Reply(200, text.encode(), "text/plain")


def _session(ibm: IbmServer, method: str, id: str) -> Reply:
    row = ibm.store.session(id)
    if row is None:
        return failure(404, f"no session {id}")
    if method in ("PATCH", "DELETE"):
        ibm.store.close_session(id)
        if method == "DELETE":
            for job in ibm.store.jobs(session=id):
                ibm.store.cancel(job["id"])
        return Reply(204)
    state = "open" if row["open"] else "closed"
    return good(
        {
            "id": id,
            "backend_name": row["backend"],
            "mode": row["mode"],
            "state": state,
            "accepting_jobs": bool(row["open"]),
        }
    )


def _control(ibm: IbmServer, request: Request, what: str) -> Reply:
    """For tests in other processes: what `IbmServer` offers in its own."""
    if what == "fault":
        ibm.faults.add(Fault(**request.data))
    elif what == "clear":
        ibm.faults.clear()
    elif what == "set":
        for name in ("queue", "spoil", "skew"):
            if name in request.data:
                setattr(ibm.store, name, request.data[name])
    elif what == "device":
        device = ibm.devices[request.data.pop("name")]
        for name, value in request.data.items():
            setattr(device, name, value)
    elif what == "counts":
        return good(ibm.store.counts())
    elif what == "faults":
        return good(ibm.faults.told())
    elif what == "jobs":
        return good([_told(row) for row in ibm.store.jobs()])
    else:
        return failure(404, f"no control {what}")
    return good({})
