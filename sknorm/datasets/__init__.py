"""Seeded synthetic data, for examples and tests that must not depend on a download."""

from sknorm.datasets.credit import make_credit_applications
from sknorm.datasets.transactions import make_transactions

__all__ = ["make_credit_applications", "make_transactions"]
