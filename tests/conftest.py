"""What every test shares: a ledger of its own, and nobody's accounts."""

from pathlib import Path

import pytest
from hypothesis import settings

# How long a case takes depends on the machine and on what else it does: that is no test.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


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
