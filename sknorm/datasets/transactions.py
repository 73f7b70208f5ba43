"""Seeded card transactions: a stream that drifts, with fraud that shows only beside what is usual."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

if TYPE_CHECKING:
    import pandas as pd

    Table = dict[str, np.ndarray]

__all__ = ["make_transactions"]

START = 1_699_833_600  # Monday, 13 November 2023, 00:00 UTC, in seconds since 1970
HOUR = 3_600
DAY = 86_400

WEEK = np.array([0.90, 0.90, 0.95, 1.00, 1.20, 1.25, 0.80])  # transactions from Monday to Sunday, relative

CONSTRAINTS = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "n_days": [Interval(Integral, 1, 3660, closed="both")],
    "n_customers": [Interval(Integral, 1, None, closed="left")],
    "n_merchants": [Interval(Integral, 1, None, closed="left")],
    "fraud_rate": [Interval(Real, 0, 0.5, closed="both")],
    "drift": [Interval(Real, 0, 10, closed="both")],
    "random_state": [None, Interval(Integral, 0, None, closed="left"), np.random.Generator],
}


def make_transactions(
    n_samples: int = 50_000,
    *,
    n_days: int = 60,
    n_customers: int = 500,
    n_merchants: int = 200,
    fraud_rate: float = 0.01,
    drift: float = 1.0,
    random_state: int | np.random.Generator | None = 0,
) -> tuple[pd.DataFrame, pd.Series]:
    r"""Make a seeded stream of card transactions in time order and whether each was fraud.

    No column tells much by its value alone: a fraudulent amount is high for its merchant and customer, a distance far
    for its customer, a latency or a score high beside that of the last hours. Meanwhile prices rise, a currency and a
    unit change, a network is renewed, and days and weeks have their rhythm.

    Parameters
    ----------
    n_samples : int, default=50_000
        Number of transactions (rows), at least 1.
    n_days : int, default=60
        Days over which they are spread, 1 to 3,660; the first is a Monday.
    n_customers, n_merchants : int, default=500 and 200
        Numbers to draw from, at least 1; the rarest may have no transaction.
    fraud_rate : float in [0, 0.5], default=0.01
        Share of fraud, exact: ``round(fraud_rate * n_samples)`` rows.
    drift : float in [0, 10], default=1.0
        Strength of the drift, a factor of the logarithm of each change in level (δ below). 0 = none: only days and
        weeks have their rhythm.
    random_state : int, numpy.random.Generator or None, default=0
        Seed. The same int gives the same data; None gives fresh data on each call. NumPy's global state is neither
        read nor changed.

    Returns
    -------
    X : pandas.DataFrame of shape (n_samples, 11)
        Sorted by ``time``. Two keys, the time, then 7 measurements:

        ====================== ============================================================== =================
        column                 meaning and unit                                               range, by default
        ====================== ============================================================== =================
        ``customer_id``        key, an integer                                                0, n_customers - 1
        ``merchant_id``        key, text                                                      ``M0000`` upwards
        ``time``               seconds since 1970                                             about 1.7e9
        ``day``                days since the first; its remainder by 7 is the weekday        0 to n_days - 1
        ``amount``             currency units, to the cent; lognormal                         0.01, about 1e4
        ``distance_km``        km from the customer's home; lognormal                         0.01, about 1e3
        ``seconds_since_last`` since the customer's last transaction, at first since the      0 to 86,400 n_days
                               start of the stream
        ``count_24h``          the customer's transactions in 24 hours, this one included     1 to about 20
        ``balance``            of the customer's account, currency units; carries no signal   about 10, 1e5
        ``latency_ms``         milliseconds from the terminal to the network                  about 10, 1e3
        ``device_score``       suspicion of the device: a ratio, later in percent             0 to 1, later 100
        ====================== ============================================================== =================
    y : pandas.Series of shape (n_samples,)
        1 = fraud, 0 = genuine; named ``fraud``.

    Raises
    ------
    sklearn.utils._param_validation.InvalidParameterError
        A ValueError and a TypeError, if a parameter is of the wrong type or outside its range.

    Notes
    -----
    With day :math:`t` of :math:`T`, hour :math:`h`, fraud :math:`f` (0 or 1), weekend :math:`w` (0 or 1), drift
    :math:`\delta`, conditions in brackets (0 or 1), and independent standard normal :math:`\varepsilon`:

    .. math::

        \ln \text{amount} &= l_m + l_c + s_m \varepsilon + 0.15 w + 0.8 f
            + \delta\,(0.004\,t + \ln 10\,[t \ge T/3][5 \mid m]) \\
        \ln \text{distance_km} &= r_c + 0.7 \varepsilon + 0.8 f \\
        \ln \text{balance} &= b_c - 0.02\,(t \bmod 30) + 0.1 \varepsilon \\
        \ln \text{latency_ms} &= \ln 120 + 0.2 \cos \frac{2 \pi (h - 15)}{24} + 0.2 \varepsilon + 0.5 f
            + \delta\,(0.3\,g - \ln 2.5\,[t \ge T/2]) \\
        \text{device_score} &= 100^{\delta\,[t \ge 2T/3]} / (1 + \exp(2 - 0.8 \varepsilon - f))

    Prices rise by 0.4 % a day. From a third of the days on, the merchants whose number is a multiple of 5 charge in
    another currency; from half of them on, the network answers 2.5 times as fast; from two thirds of them on, the
    score is given in percent. The network's level :math:`g` is standard normal at each midnight, linear in between.

    Merchant :math:`m` has :math:`l_m \sim N(3.4, 0.9^2)` and :math:`s_m \sim U(0.2, 0.6)`; customer :math:`c` has
    :math:`l_c \sim N(0, 0.35^2)`, :math:`r_c \sim N(1.5, 0.9^2)`, :math:`b_c \sim N(7.5, 1)` and a favourite hour
    from :math:`N(14.5, 3^2)`, about which genuine transactions spread by 2.5 hours. A merchant's popularity is
    :math:`\exp \varepsilon`, a customer's activity a gamma variable of shape 2; the weekdays from Monday weigh 0.9,
    0.9, 0.95, 1, 1.2, 1.25 and 0.8.

    Fraud follows a genuine transaction of the same customer, drawn at random, after an exponential time of six hours
    on average, or at the end of the stream if that is earlier; the merchant is drawn as for any other.

    ``drift`` changes ``amount``, ``latency_ms`` and ``device_score`` alone: the other columns and the labels stay the
    same for the same other parameters and seed.

    Examples
    --------
    >>> from sknorm.datasets import make_transactions
    >>> X, y = make_transactions(10_000, n_days=30, random_state=0)
    >>> X.shape
    (10000, 11)
    >>> int(y.sum())
    100
    >>> bool(X["time"].is_monotonic_increasing)
    True
    >>> X["device_score"].groupby(X["day"] >= 20).max().round(2).tolist()
    [0.73, 76.3]
    """
    parameters = {
        "n_samples": n_samples,
        "n_days": n_days,
        "n_customers": n_customers,
        "n_merchants": n_merchants,
        "fraud_rate": fraud_rate,
        "drift": drift,
        "random_state": random_state,
    }
    validate_parameter_constraints(CONSTRAINTS, parameters, caller_name="make_transactions")
    # Imported here so that importing sknorm does not pay for pandas.
    import pandas as pd

    rng = np.random.default_rng(random_state)
    n_fraud = round(fraud_rate * n_samples)
    customer, second = _draw_visits(rng, n_samples - n_fraud, n_fraud, n_days, n_customers)
    order = np.argsort(second, kind="stable")
    customer, second = customer[order], second[order]
    fraud = (order >= n_samples - n_fraud).astype(np.int64)
    merchant = _choose(rng, np.exp(rng.standard_normal(n_merchants)), n_samples)
    amount, distance, balance = _draw_habits(rng, customer, merchant, second, fraud, n_customers, n_merchants)
    latency, score = _draw_signals(rng, second, fraud)

    day, names = second // DAY, np.array([f"M{number:04d}" for number in range(n_merchants)], dtype=object)
    amount += drift * (0.004 * day + np.log(10) * ((day >= n_days / 3) & (merchant % 5 == 0)))
    midnights = rng.standard_normal(n_days + 1)
    network = np.interp(second, DAY * np.arange(n_days + 1), midnights)
    latency += drift * (0.3 * network - np.log(2.5) * (day >= n_days / 2))
    score *= np.where(day >= 2 * n_days / 3, 100.0**drift, 1.0)
    elapsed, count = _look_back(customer, second, n_days)
    table = {
        "customer_id": customer,
        "merchant_id": names[merchant],
        "time": START + second,
        "day": day,
        "amount": np.maximum(np.round(np.exp(amount), 2), 0.01),
        "distance_km": np.maximum(np.round(np.exp(distance), 2), 0.01),
        "seconds_since_last": elapsed,
        "count_24h": count,
        "balance": np.round(np.exp(balance), 2),
        "latency_ms": np.round(np.exp(latency), 1),
        "device_score": np.round(score, 4),
    }
    return pd.DataFrame(table), pd.Series(fraud, name="fraud")


def _draw_visits(
    rng: np.random.Generator, n_genuine: int, n_fraud: int, n_days: int, n_customers: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw each transaction's customer and second of the stream: the genuine ones, then the fraud that follows some."""
    customer = _choose(rng, rng.gamma(2.0, size=n_customers), n_genuine)
    favourite = 14.5 + 3 * rng.standard_normal(n_customers)
    hour = (favourite[customer] + 2.5 * rng.standard_normal(n_genuine)) % 24
    day = _choose(rng, WEEK[np.arange(n_days) % 7], n_genuine)
    # The remainder of a tiny negative number by 24 is 24 itself, hence the minimum: it would be the next day.
    second = day * DAY + np.minimum((HOUR * hour).astype(np.int64), DAY - 1)
    victim = rng.integers(0, n_genuine, n_fraud)
    later = second[victim] + rng.exponential(6 * HOUR, n_fraud).astype(np.int64)
    return (
        np.concatenate([customer, customer[victim]]),
        np.concatenate([second, np.minimum(later, n_days * DAY - 1)]),
    )


def _draw_habits(
    rng: np.random.Generator,
    customer: np.ndarray,
    merchant: np.ndarray,
    second: np.ndarray,
    fraud: np.ndarray,
    n_customers: int,
    n_merchants: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw what customers and merchants have their own level of: the logarithms of amount, distance and balance."""
    day, n = second // DAY, len(second)
    level, spread = 3.4 + 0.9 * rng.standard_normal(n_merchants), rng.uniform(0.2, 0.6, n_merchants)
    taste = 0.35 * rng.standard_normal(n_customers)
    radius = 1.5 + 0.9 * rng.standard_normal(n_customers)
    wealth = 7.5 + rng.standard_normal(n_customers)
    amount = level[merchant] + taste[customer] + spread[merchant] * rng.standard_normal(n)
    amount += 0.15 * (day % 7 >= 5) + 0.8 * fraud
    distance = radius[customer] + 0.7 * rng.standard_normal(n) + 0.8 * fraud
    balance = wealth[customer] - 0.02 * (day % 30) + 0.1 * rng.standard_normal(n)
    return amount, distance, balance


def _draw_signals(rng: np.random.Generator, second: np.ndarray, fraud: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw what machines measure: the logarithm of the latency, and the score."""
    n = len(second)
    daily = np.cos(2 * np.pi * (second / HOUR - 15) / 24)
    latency = np.log(120) + 0.2 * daily + 0.2 * rng.standard_normal(n) + 0.5 * fraud
    return latency, 1 / (1 + np.exp(2 - 0.8 * rng.standard_normal(n) - fraud))


def _look_back(customer: np.ndarray, second: np.ndarray, n_days: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the seconds since each customer's last transaction, and how many there were in the last 24 hours."""
    order = np.lexsort((second, customer))  # stable: what shares a second stays in the order of the stream
    customer, second = customer[order], second[order]
    first = np.diff(customer, prepend=-1) != 0
    # One sorted key for all customers; a day lies between two of them, so that 24 hours never reach the one before.
    key = customer * (n_days + 1) * DAY + second
    rank = np.arange(len(key))
    elapsed, count = np.empty_like(second), np.empty_like(second)
    elapsed[order] = np.where(first, second, np.diff(second, prepend=0))
    count[order] = rank - np.searchsorted(key, key - DAY, side="right") + 1
    return elapsed, count


def _choose(rng: np.random.Generator, weight: np.ndarray, n: int) -> np.ndarray:
    """Draw ``n`` numbers below ``len(weight)``, each as likely as its weight."""
    return rng.choice(len(weight), n, p=weight / weight.sum())
