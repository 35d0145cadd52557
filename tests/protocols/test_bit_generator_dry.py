"""Certified bits that run out: every method of numpy's generator says so, and returns no number."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ebit.protocols import bit_tap
from ebit.protocols.bit_generator import EbitBits
from ebit.protocols.pool import OutOfBitsError, Pool, PoolError

SIMULATOR = "pseudo (simulator)"


def some_bytes(n: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(n)


def generator(data: bytes) -> np.random.Generator:
    return np.random.Generator(EbitBits(data))


# Every public method, with arguments that make it draw much, or often.
METHODS: dict[str, Callable[[np.random.Generator], Any]] = {
    "beta": lambda g: g.beta(2, 3, 200),
    "binomial": lambda g: g.binomial(1000, 0.3, 200),
    "bytes": lambda g: g.bytes(800),
    "chisquare": lambda g: g.chisquare(3, 200),
    "choice": lambda g: g.choice(1000, 200),
    "choice without": lambda g: g.choice(1000, 200, replace=False),
    "choice weighted": lambda g: g.choice(4, 200, p=[0.1, 0.2, 0.3, 0.4]),
    "dirichlet": lambda g: g.dirichlet([1, 2, 3], 200),
    "exponential": lambda g: g.exponential(1, 200),
    "f": lambda g: g.f(2, 3, 200),
    "gamma": lambda g: g.gamma(0.5, 1, 200),
    "geometric": lambda g: g.geometric(0.3, 200),
    "gumbel": lambda g: g.gumbel(0, 1, 200),
    "hypergeometric": lambda g: g.hypergeometric(100, 100, 50, 200),
    "integers": lambda g: g.integers(0, 1000, 200),
    "integers wide": lambda g: g.integers(0, 10**15 + 3, 200),
    "integers of many bounds": lambda g: g.integers(0, np.arange(1, 400)),
    "integers bool": lambda g: g.integers(0, 2, 10_000, dtype=bool),
    "laplace": lambda g: g.laplace(0, 1, 200),
    "logistic": lambda g: g.logistic(0, 1, 200),
    "lognormal": lambda g: g.lognormal(0, 1, 200),
    "logseries": lambda g: g.logseries(0.6, 200),
    "multinomial": lambda g: g.multinomial(1000, [0.2, 0.3, 0.5], 200),
    "multivariate_hypergeometric": lambda g: g.multivariate_hypergeometric([50, 60, 70], 40, 200),
    "multivariate_normal": lambda g: g.multivariate_normal([0, 0], np.eye(2), 200),
    "negative_binomial": lambda g: g.negative_binomial(5, 0.4, 200),
    "noncentral_chisquare": lambda g: g.noncentral_chisquare(3, 2, 200),
    "noncentral_f": lambda g: g.noncentral_f(3, 4, 2, 200),
    "normal": lambda g: g.normal(0, 1, 200),
    "pareto": lambda g: g.pareto(2, 200),
    "permutation": lambda g: g.permutation(300),
    "permuted": lambda g: g.permuted(np.arange(300)),
    "poisson": lambda g: g.poisson(20, 200),
    "power": lambda g: g.power(2, 200),
    "random": lambda g: g.random(200),
    "random float32": lambda g: g.random(400, dtype=np.float32),
    "rayleigh": lambda g: g.rayleigh(1, 200),
    "shuffle": lambda g: g.shuffle(np.arange(300)),
    "shuffle a list": lambda g: g.shuffle(list(range(300))),
    "standard_cauchy": lambda g: g.standard_cauchy(200),
    "standard_exponential": lambda g: g.standard_exponential(200),
    "standard_gamma": lambda g: g.standard_gamma(3, 200),
    "standard_normal": lambda g: g.standard_normal(200),
    "standard_t": lambda g: g.standard_t(3, 200),
    "triangular": lambda g: g.triangular(0, 1, 2, 200),
    "uniform": lambda g: g.uniform(0, 1, 200),
    "vonmises": lambda g: g.vonmises(0, 1, 200),
    "wald": lambda g: g.wald(1, 1, 200),
    "weibull": lambda g: g.weibull(2, 200),
    "zipf": lambda g: g.zipf(3, 200),
}


def test_the_list_of_methods_is_whole() -> None:
    public = {
        name
        for name in dir(np.random.Generator)
        if not name.startswith("_") and name not in ("bit_generator", "spawn")
    }
    assert public <= {name.split()[0] for name in METHODS}


@pytest.mark.parametrize("name", METHODS)
def test_no_method_returns_a_number_that_is_none(name: str) -> None:
    with pytest.raises(OutOfBitsError, match="more bits were asked for than there are") as caught:
        METHODS[name](generator(some_bytes(64)))
    assert "\n" not in str(caught.value)
    METHODS[name](generator(some_bytes(1 << 16)))  # and with enough of them all is well


@pytest.mark.parametrize("scalar", ["random", "normal", "integers", "exponential", "poisson"])
def test_one_by_one_up_to_the_last(scalar: str) -> None:
    calls = {
        "random": lambda g: g.random(),
        "normal": lambda g: g.normal(),
        "integers": lambda g: g.integers(0, 10**12),
        "exponential": lambda g: g.exponential(),
        "poisson": lambda g: g.poisson(3.0),
    }
    data = some_bytes(8 * 50, 8)
    fresh = generator(data + some_bytes(8000, 9))
    expected = [calls[scalar](fresh) for _ in range(60)]
    rng, found = generator(data), []

    def each() -> None:
        for _ in range(60):
            found.append(calls[scalar](rng))  # noqa: PERF401

    with pytest.raises(OutOfBitsError):
        each()
    assert 0 < len(found) < 60
    assert found == expected[: len(found)]
    for _ in range(3):  # and it stays so
        with pytest.raises(OutOfBitsError):
            calls[scalar](rng)


def test_half_a_number_is_none() -> None:
    bits = EbitBits(some_bytes(12))
    assert bits.random_raw() is not None
    with pytest.raises(OutOfBitsError, match="all 96 are used"):
        bits.random_raw()
    odd = EbitBits(some_bytes(8), bits=45)
    assert np.random.Generator(odd).integers(0, 2**32, dtype=np.uint32) >= 0
    with pytest.raises(OutOfBitsError, match=r"the last 13 make no number"):
        np.random.Generator(odd).integers(0, 2**32, dtype=np.uint32)


def test_other_errors_go_first_and_the_lock_comes_back() -> None:
    rng = generator(some_bytes(64))
    with pytest.raises(ValueError, match="low >= high"):
        rng.integers(5, 5)
    lock = rng.bit_generator.lock

    def failing() -> None:
        with lock:
            with pytest.raises(OutOfBitsError):
                rng.random(100)
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert lock.acquire(timeout=1)
    lock.release()
    other = threading.Thread(target=lambda: lock.acquire() and lock.release())
    other.start()
    other.join(5)
    assert not other.is_alive()


def test_an_interrupt_while_bits_are_fetched_is_not_lost(tmp_path: Path) -> None:
    def interrupted(pool: Pool, missing: int) -> None:
        raise KeyboardInterrupt

    rng = np.random.Generator(EbitBits(Pool(tmp_path, top_up=interrupted)))
    with pytest.raises(KeyboardInterrupt):
        rng.random(3)


def test_a_pool_that_runs_dry_can_be_filled(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    pool.append(some_bytes(80), {}, randomness=SIMULATOR)
    rng = np.random.Generator(EbitBits(pool))
    assert len(rng.random(10)) == 10
    with pytest.raises(OutOfBitsError, match="put more in"):
        rng.random()
    fresh = some_bytes(80, 1)
    pool.append(fresh, {}, randomness=SIMULATOR)
    np.testing.assert_array_equal(rng.bit_generator.random_raw(10), np.frombuffer(fresh, ">u8"))  # type: ignore[attr-defined]


def test_a_pool_tops_itself_up_under_a_generator(tmp_path: Path) -> None:
    seen: list[int] = []

    def top_up(pool: Pool, missing: int) -> None:
        seen.append(missing)
        data = some_bytes((missing + 7) // 8 + 100, len(seen))
        pool.append(data, {}, randomness=SIMULATOR)

    rng = np.random.Generator(EbitBits(Pool(tmp_path, low_water=1000, top_up=top_up)))
    found = rng.random(5000)
    assert len(np.unique(found)) == 5000
    assert stats.kstest(found, stats.uniform().cdf).pvalue > 1e-4
    assert len(seen) > 1
    assert rng.bit_generator.state["randomness"] == [SIMULATOR]


def test_threads_that_run_dry_are_each_told() -> None:
    rng = generator(some_bytes(8 * 1000))
    told: list[str] = []
    good: list[float] = []

    def work() -> None:
        try:
            for _ in range(1000):
                good.extend(rng.random(5).tolist())
        except OutOfBitsError as error:
            told.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 4
    assert len(good) <= 1000


def test_c_code_that_passes_the_lock_is_stopped() -> None:
    bits = EbitBits(some_bytes(16))
    draw = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(bit_tap.words().next_uint64)
    expected = np.frombuffer(some_bytes(16), ">u8").tolist()
    assert [draw(bits._tap.address) for _ in range(2)] == expected
    used: list[int] = []

    def beyond() -> None:
        number = draw(bits._tap.address)
        used.append(number)

    for _ in range(2):
        with pytest.raises(OutOfBitsError, match="the numbers just drawn are void"):
            beyond()
    assert used == []
    with pytest.raises(OutOfBitsError):
        bits.random_raw()


def test_numba_draws_the_same_and_is_stopped() -> None:
    from numba import njit

    @njit
    def mean(rng: Any, n: int) -> Any:
        total = 0.0
        for _ in range(n):
            total += rng.random()
        return total / n

    data = some_bytes(8 * 1000)
    rng = generator(data)
    expected = (np.frombuffer(data, ">u8") >> np.uint64(11)).astype(np.uint64) * 2.0**-53
    assert mean(rng, 600) == pytest.approx(expected[:600].mean(), rel=1e-12)
    got: list[float] = []

    def beyond() -> None:
        number = mean(rng, 600)
        got.append(number)

    with pytest.raises(OutOfBitsError, match="the numbers just drawn are void"):
        beyond()
    assert got == []
    with pytest.raises(OutOfBitsError):
        rng.random()


def test_a_file_that_shrinks_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bits"
    path.write_bytes(some_bytes(8 * 20_000))
    rng = np.random.Generator(EbitBits(path))
    rng.random(10)
    os.truncate(path, 100)
    with pytest.raises(PoolError, match="was cut short"):
        rng.random(19_000)
