"""The rows about outliers, and what each of them must reach."""

from __future__ import annotations

from benchmarks.case import COPY, MILLION_BY_TEN, PLAIN, Case
from benchmarks.goals import faster, within
from benchmarks.peers import FEATURE_ENGINE, GAUSSIAN, MAD, QUANTILES, SKRUB
from benchmarks.tables import Table
from sknorm import OutlierClipper

C, F, FRAME, SMALL = MILLION_BY_TEN, Table(order="F"), Table(order="F", frame=True), Table((100_000, 10))
FLOAT32 = Table(dtype="float32")
SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "MeanScaler", "DecimalScaler", "RobustScaler")
SOFT = (("clip", 3.0), ("clip_mode", "soft"))


def outliers() -> list[Case]:
    """Return the clippers against other libraries, and what clipping costs a scaler."""
    by = {"iqr": FEATURE_ENGINE, "sigma": GAUSSIAN, "mad": MAD, "quantile": QUANTILES}
    sigma = (("outliers", OutlierClipper("sigma")),)
    return [
        *(
            Case("fit_transform", "OutlierClipper", t, (("method", m),), (peer,), 2, goals=goals)
            for m, peer in by.items()
            for t, goals in ((C, (faster(5, peer),) if m == "quantile" else ()), (FRAME, ()))
        ),
        *(Case("transform", "OutlierClipper", t, (), (FEATURE_ENGINE, COPY), 2) for t in (C, FRAME, FLOAT32)),
        *(
            Case("transform", name, C, (("clip", 3.0),), (PLAIN,), threads, goals=(within(1.05, PLAIN),))
            for name in SCALERS
            for threads in (1, 2)
        ),
        Case("transform", "RobustScaler", C, SOFT, (SKRUB, PLAIN), 2),
        *(
            Case("fit", name, t, sigma, (PLAIN,), threads, goals=(within(3, PLAIN),))
            for name in SCALERS
            for t, threads in ((C, 1), (C, 2), (F, 2))
        ),
        *(
            Case("fit", "StandardScaler", C, (("outliers", OutlierClipper(method)),), (PLAIN,), 2)
            for method in ("iqr", "mad", "quantile")
        ),
        *(Case("transform", name, C, sigma, (PLAIN,), 2) for name in ("StandardScaler", "MinMaxScaler")),
        *(
            Case("prequential_transform", "StandardScaler", SMALL, params, (PLAIN,), unit="ns a value")
            for params in (sigma, (("outliers", OutlierClipper()),))
        ),
        Case("partial_fit", "OutlierClipper", Table((1, 30)), (("method", "sigma"),), (), unit="µs"),
        Case("transform", "OutlierClipper", Table((1, 30)), (), (), unit="µs"),
        Case("transform", "StandardScaler", Table((1, 30)), sigma, (PLAIN,), unit="µs"),
    ]
