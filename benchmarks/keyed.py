"""Tables whose rows have keys: what is timed of groups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, TypeAlias

import numpy as np

from benchmarks.tables import Table
from sknorm.groups import batch

KeyKind: TypeAlias = Literal["int", "str", "object"]
Form: TypeAlias = Literal["groups=", "pandas", "polars"]
KEY = "key"
# Of nine digits: no library can number them by their value.
LARGEST_KEY = 10**9


@dataclass(frozen=True)
class Keyed:
    """Values and the keys of their rows.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The values.
    keys : ndarray or pandas Series of shape (n,)
        The keys.
    form : {"groups=", "pandas", "polars"}
        How sknorm gets them.
    """

    X: Any
    keys: Any
    form: Form = "groups="

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, rows: Any) -> Self:
        return replace(self, X=self.X[rows], keys=self.keys[rows])

    @property
    def size(self) -> int:
        """How many values there are."""
        return int(self.X.size)

    def one_of_each(self) -> Self:
        """Return the first row of every key."""
        return self[np.unique(np.asarray(self.keys), return_index=True)[1]]

    def given(self) -> Any:
        """Return what sknorm gets: this, whose keys lie beside X, or a frame."""
        return {"groups=": lambda: self, "pandas": self.pandas, "polars": self.polars}[self.form]()

    def pandas(self) -> Any:
        """Return a pandas frame with the keys in its last column; the values are one block of contiguous columns."""
        import pandas as pd

        frame = pd.DataFrame(np.asfortranarray(self.X), columns=[f"x{j}" for j in range(self.X.shape[1])])
        frame[KEY] = self.keys
        return frame

    def polars(self) -> Any:
        """Return a Polars frame with the keys in its last column."""
        import polars as pl

        columns = {f"x{j}": np.ascontiguousarray(column) for j, column in enumerate(self.X.T)}
        return pl.DataFrame(columns | {KEY: pl.Series(np.asarray(self.keys), dtype=self.polars_type)})

    @property
    def polars_type(self) -> Any:
        import polars as pl

        return pl.Int64 if getattr(self.keys, "dtype", None) == np.int64 else pl.String


@contextmanager
def encoded_before(keyed: Keyed) -> Iterator[None]:
    """Let sknorm find the keys encoded within: whatever they are there, they are these."""
    encode = batch.encode
    encoded = encode([keyed.keys], missing="own")
    try:
        batch.encode = lambda columns, *, missing: encoded
        yield
    finally:
        batch.encode = encode


@dataclass(frozen=True)
class KeyedTable(Table):
    """What a table with keys is like; `benchmarks.tables.make_table` makes it.

    Parameters
    ----------
    keys : {"int", "str", "object"}
        What they are: integers, or strings of ten characters in pandas' own dtype or as objects.
    n_groups : int
        How many different ones there are, where there are as many rows.
    form : {"groups=", "pandas", "polars"}
        How sknorm gets them: beside an array, or as the column "key" of a frame.
    """

    shape: tuple[int, int] = (1_000_000, 3)
    keys: KeyKind = field(default="int", kw_only=True)
    n_groups: int = field(default=50_000, kw_only=True)
    form: Form = field(default="groups=", kw_only=True)

    @property
    def n_keys(self) -> int:
        """How many different keys there are."""
        return min(self.n_groups, self.shape[0])

    def divided(self, by: int) -> Self:
        """Return the same with fewer rows, and fewer keys in that ratio."""
        divided = super().divided(by)
        return replace(divided, n_groups=max(1, self.n_groups * divided.shape[0] // self.shape[0]))

    def packed(self, X: Any, random: np.random.Generator) -> Keyed:
        """Return the values with their keys: each comes once at least, in no order."""
        ids = random.choice(LARGEST_KEY, self.n_keys, replace=False)
        codes = np.concatenate([np.arange(self.n_keys), random.integers(0, self.n_keys, len(X) - self.n_keys)])
        random.shuffle(codes)
        if self.keys == "int":
            return Keyed(X, ids[codes], self.form)
        # Rows of one key share its object, as a file's reader leaves them.
        objects = np.array([f"m{key:09d}" for key in ids], object)[codes]
        if self.keys == "object":
            return Keyed(X, objects, self.form)
        import pandas as pd

        return Keyed(X, pd.Series(objects, dtype="str"), self.form)
