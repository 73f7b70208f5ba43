"""What hypothesis draws: tables, and ways to cut them into batches."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

LARGEST = 1e150

values = st.one_of(
    st.floats(-LARGEST, LARGEST),
    st.floats(-1e3, 1e3),
    st.integers(-5, 5).map(float),
    st.integers(-5, 5).map(lambda i: 1e12 + i / 4),
    st.just(np.nan),
)


def picks(draw, options, shape):
    """Draw an array of some of these options.

    One draw of bytes says where each lies: to draw cell by cell takes most of the time of a law.
    """
    n = int(np.prod(shape))
    which = np.frombuffer(draw(st.binary(min_size=n, max_size=n)), np.uint8).astype(int)
    return np.asarray(options)[which % len(options)].reshape(shape)


def few_values(draw, elements, shape):
    """Draw an array of a few values, each drawn once; one time in two, of shares of these, hardly two of them alike."""
    some = picks(draw, draw(st.lists(elements, min_size=1, max_size=8)), shape)
    return some * (1 - picks(draw, range(256), shape) / 512) if draw(st.booleans()) else some


@st.composite
def tables(draw, min_rows=1, max_rows=40, max_columns=4):
    """Draw a float64 table with NaN, each column of one kind or of all."""
    n_rows, n_columns = draw(st.integers(min_rows, max_rows)), draw(st.integers(1, max_columns))
    return draw(hnp.arrays(np.float64, (n_rows, n_columns), elements=values, fill=st.just(np.nan) | st.just(1.0)))


@st.composite
def batches(draw, X, min_rows=1):
    """Draw a way to cut X into consecutive batches."""
    cuts = draw(st.lists(st.integers(min_rows, max(min_rows, len(X) - min_rows)), max_size=6, unique=min_rows > 0))
    cuts = [cut for cut in sorted(cuts) if cut + min_rows <= len(X)]
    return np.split(X, cuts)
