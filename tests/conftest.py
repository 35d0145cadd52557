"""What every test shares: a ledger of its own, and nobody's accounts."""

from pathlib import Path

import pytest
import qiskit  # noqa: F401 - first met in a thread that ends, it crashes the process later on
from hypothesis import settings

# The same cases each time, and no limit on their time: a machine that is busy is no fault of ours.
settings.register_profile("ebit", derandomize=True, deadline=None)
settings.load_profile("ebit")


@pytest.fixture(autouse=True)
def own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the ledger of the person who runs it, or uses their accounts."""
    monkeypatch.setenv("EBIT_HOME", str(tmp_path / "home-of-ebit"))
    monkeypatch.setattr("ebit.backends.ibm_client.ACCOUNTS", tmp_path / "no-accounts.json")
    for name in (
        "QISKIT_IBM_TOKEN",
        "QISKIT_IBM_INSTANCE",
        "QISKIT_IBM_CHANNEL",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "EBIT_IBM_URL",
        "EBIT_GOOGLE_ENDPOINT",
        "EBIT_PATIENCE",
    ):
        monkeypatch.delenv(name, raising=False)
