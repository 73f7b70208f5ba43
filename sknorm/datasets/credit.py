"""Seeded credit applications: skew, entry errors, missing values and mixed scales in one table."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

if TYPE_CHECKING:
    import pandas as pd

    Table = dict[str, np.ndarray]

__all__ = ["make_credit_applications"]

EPOCH = 1_700_000_000  # 14 November 2023, in seconds since 1970
YEAR = 31_536_000

# name: (share of applicants, effect on the log-odds of default)
CATEGORIES = {
    "purpose": {
        "car": (0.34, 0.0),
        "home": (0.26, -0.2),
        "education": (0.12, 0.2),
        "debt": (0.20, 0.4),
        "business": (0.08, 0.6),
    },
    "housing": {"rent": (0.42, 0.3), "mortgage": (0.36, -0.2), "own": (0.22, -0.3)},
    "employment": {"employed": (0.74, 0.0), "self-employed": (0.16, 0.4), "retired": (0.10, -0.3)},
}

MISTYPED = ("income", "loan_amount", "savings")
# True: the worse the risk, the more often the applicant leaves the field empty.
OMITTED = {"income": True, "months_employed": True, "savings": False, "utilisation": False}

CONSTRAINTS = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "missing": [Interval(Real, 0, 1, closed="left")],
    "outliers": [Interval(Real, 0, 1, closed="left")],
    "random_state": [None, Interval(Integral, 0, None, closed="left"), np.random.Generator],
}


def make_credit_applications(
    n_samples: int = 5000,
    *,
    missing: float = 0.05,
    outliers: float = 0.01,
    random_state: int | np.random.Generator | None = 0,
) -> tuple[pd.DataFrame, pd.Series]:
    r"""Make a seeded table of credit applications and whether each was defaulted on.

    The numeric columns are what makes normalization matter: skewed amounts, bounded ratios, small counts and an
    epoch-seconds time, from 1e-3 to 1e9 in scale, with entry errors and missing values. About 24 % default.

    Parameters
    ----------
    n_samples : int, default=5000
        Number of applications (rows), at least 1.
    missing : float in [0, 1), default=0.05
        Share of empty cells in each of ``income``, ``months_employed`` (both the likelier, the worse the risk),
        ``savings`` and ``utilisation`` (both at random).
    outliers : float in [0, 1), default=0.01
        Share of entry errors, 1,000 times the true value, in each of ``income``, ``loan_amount`` and ``savings``.
        Some may then be hidden by a missing value.
    random_state : int, numpy.random.Generator or None, default=0
        Seed. The same int gives the same data; None gives fresh data on each call. NumPy's global state is neither
        read nor changed.

    Returns
    -------
    X : pandas.DataFrame of shape (n_samples, 15)
        12 numeric columns, then 3 categorical ones:

        ==================== ================================================================ =============
        column               meaning and unit                                                 true range
        ==================== ================================================================ =============
        ``age``              years                                                            18 to 79
        ``income``           a year, currency units; lognormal                                about 1e3, 1e6
        ``loan_amount``      currency units; lognormal, grows with income                     about 1e2, 1e6
        ``term_months``      months, in half years                                            6 to 72
        ``monthly_rate``     interest a month, as a ratio                                     0.003 to 0.018
        ``debt_to_income``   ratio                                                            0 to 1
        ``utilisation``      share of the credit limits in use                                0 to 1
        ``savings``          currency units; a quarter have none, the others lognormal        0, about 1e6
        ``months_employed``  months with the present employer                                 0 to 732
        ``n_late``           late payments in two years                                       0 to about 15
        ``n_accounts``       open accounts                                                    0 to about 15
        ``application_time`` seconds since 1970, within one year                              about 1.7e9
        ``purpose``          car, home, education, debt or business                           category
        ``housing``          rent, mortgage or own                                            category
        ``employment``       employed, self-employed or retired                               category
        ==================== ================================================================ =============
    y : pandas.Series of shape (n_samples,)
        1 = default, 0 = repaid; named ``default``.

    Raises
    ------
    sklearn.utils._param_validation.InvalidParameterError
        A ValueError and a TypeError, if a parameter is of the wrong type or outside its range.

    Notes
    -----
    The label is drawn from a logistic model of the true values, before entry errors and omissions:

    .. math::

        \operatorname{logit} P = -3.6
            - 0.6 \ln\frac{\text{income}}{38000} + 0.6 \ln\frac{\text{loan_amount}}{9000}
            + 200\,(\text{monthly_rate} - 0.009) + 2\,\text{debt_to_income} + 3\,\text{utilisation}
            - 0.12 \ln\Bigl(1 + \frac{\text{savings}}{500}\Bigr) - 0.006\,\text{months_employed}
            + 0.45\,\text{n_late} - 0.015\,(\text{age} - 40)
            + 0.7\,\frac{\text{application_time} - 1.7 \cdot 10^9}{31536000}
            + \text{purpose} + \text{housing} + \text{employment}

    where the categories add: home -0.2, education 0.2, debt 0.4, business 0.6; rent 0.3, mortgage -0.2, own -0.3;
    self-employed 0.4, retired -0.3. ``term_months`` and ``n_accounts`` carry no signal.

    ``missing`` and ``outliers`` change only the cells that they spoil: the other cells and the labels stay the same
    for one ``n_samples`` and seed.

    Examples
    --------
    >>> from sknorm.datasets import make_credit_applications
    >>> X, y = make_credit_applications(1000, random_state=0)
    >>> X.shape
    (1000, 15)
    >>> int(X["savings"].isna().sum())
    50
    >>> sorted(y.unique().tolist())
    [0, 1]
    """
    validate_parameter_constraints(
        CONSTRAINTS,
        {"n_samples": n_samples, "missing": missing, "outliers": outliers, "random_state": random_state},
        caller_name="make_credit_applications",
    )
    # Imported here so that importing sknorm does not pay for pandas.
    import pandas as pd

    rng = np.random.default_rng(random_state)
    table = _draw_applications(rng, n_samples)
    risk = 1 / (1 + np.exp(-_log_odds(table)))
    default = (rng.random(n_samples) < risk).astype(np.int64)

    even = np.ones(n_samples)
    for name in MISTYPED:
        table[name][_choose(rng, even, outliers)] *= 1000
    for name, informative in OMITTED.items():
        table[name][_choose(rng, risk if informative else even, missing)] = np.nan

    X = pd.DataFrame(table).astype({name: pd.CategoricalDtype(list(labels)) for name, labels in CATEGORIES.items()})
    return X, pd.Series(default, name="default")


def _draw_applications(rng: np.random.Generator, n: int) -> Table:
    """Draw the true values, column by column."""
    wealth = rng.standard_normal(n)
    age = 18 + np.floor(62 * rng.beta(1.8, 3.2, n)).astype(np.int64)
    table = {
        "age": age,
        "income": np.round(38_000 * np.exp(0.55 * wealth)),
        "loan_amount": np.round(9_000 * np.exp(0.35 * wealth + 0.7 * rng.standard_normal(n))),
        "term_months": 6 * rng.integers(1, 13, n),
        "monthly_rate": np.round(0.003 + 0.015 * rng.beta(2.0, 3.0, n), 5),
        "debt_to_income": np.round(rng.beta(2.0, 4.0, n), 4),
        "utilisation": np.round(rng.beta(0.8, 1.3, n), 4),
        "savings": np.round((rng.random(n) > 0.25) * 4_000 * np.exp(0.5 * wealth + 1.2 * rng.standard_normal(n))),
        "months_employed": np.minimum(np.floor(rng.exponential(70, n)), 12.0 * (age - 18)),
        "n_late": rng.negative_binomial(0.8, 0.5, n),
        "n_accounts": rng.poisson(4, n),
        "application_time": EPOCH + rng.integers(0, YEAR, n),
    }
    for name, labels in CATEGORIES.items():
        shares = [share for share, _ in labels.values()]
        table[name] = rng.choice(np.array(list(labels), dtype=object), n, p=shares)
    return table


def _log_odds(table: Table) -> np.ndarray:
    """Return each row's log-odds of default."""
    log_odds = (
        -3.6
        - 0.6 * np.log(table["income"] / 38_000)
        + 0.6 * np.log(table["loan_amount"] / 9_000)
        + 200 * (table["monthly_rate"] - 0.009)
        + 2.0 * table["debt_to_income"]
        + 3.0 * table["utilisation"]
        - 0.12 * np.log1p(table["savings"] / 500)
        - 0.006 * table["months_employed"]
        + 0.45 * table["n_late"]
        - 0.015 * (table["age"] - 40)
        + 0.7 * (table["application_time"] - EPOCH) / YEAR
    )
    for name, labels in CATEGORIES.items():
        log_odds += [labels[label][1] for label in table[name]]
    return log_odds


def _choose(rng: np.random.Generator, weight: np.ndarray, share: float) -> np.ndarray:
    """Choose ``share`` of the rows, each as likely as its weight (Efraimidis and Spirakis 2006).

    Every row draws a number whatever the share, so that a column's choice does not depend on another column's share.
    """
    n = len(weight)
    return np.argsort(rng.exponential(size=n) / weight)[: round(share * n)]
