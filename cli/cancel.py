"""ebit cancel."""

from __future__ import annotations

import click

from ebit.cli.common import common, emit
from ebit.cli.launch import job_dict


@click.command(name="cancel")
@click.argument("job")
@common(seed=False, out=False)
def command(*, job: str, as_json: bool, quiet: bool, debug: bool) -> int:
    """Cancel JOB at its provider. What has already run is lost; what it cost is not given back.

    JOB is an id from `ebit jobs`, its first characters, or an id of the provider (ibm:ID).
    """
    del quiet, debug
    from ebit.backends import cancel_job

    done = cancel_job(job)
    emit(job_dict(done.entry.summary), lambda: f"job {done.id[:8]} is cancelled", as_json=as_json)
    return 0
