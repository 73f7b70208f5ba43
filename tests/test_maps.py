"""The maps and their kernel: every shape, layout and stage against the NumPy expression."""

import pickle

import numpy as np
import pytest

from sknorm.kernels import _apply
from sknorm.maps import Affine, Chain, Clip, Squash, Unsquash, identity

WIDTHS = [*range(1, 71), 85, 127, 128, 129, 255, 256, 257, 258, 259, 260, 600]


def assert_same_bits(actual, expected):
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(np.signbit(actual), np.signbit(expected))


def parameters(rng, d, n_groups=1):
    """Return centre, scale, gain and shift of shape (n_groups, d)."""
    shape = n_groups, d
    return rng.normal(size=shape), rng.uniform(0.1, 3, shape), rng.uniform(0.5, 2, shape), rng.normal(size=shape)


def table(rng, n, d, dtype=np.float64):
    X = (rng.normal(size=(n, d)) * 3).astype(dtype)
    X[rng.random((n, d)) < 0.05] = np.nan
    return X


def squash(x, bound):
    with np.errstate(over="ignore"):
        return np.where(
            np.abs(x) <= bound, x / np.sqrt(1 + (x / bound) ** 2), np.copysign(bound, x) / np.sqrt(1 + (bound / x) ** 2)
        )


def of_numpy(map_, X):
    """Return what a map means, written in NumPy, in double and rounded once at the end."""
    y = X.astype(np.float64)
    for part in map_.maps if isinstance(map_, Chain) else [map_]:
        if isinstance(part, Affine):
            y = y if part.centre is None else y - part.centre
            y = y if part.scale is None else y / part.scale
            y = y if part.gain is None else y * part.gain
            y = y if part.shift is None else y + part.shift
        elif isinstance(part, Clip):
            y = np.minimum(np.maximum(y, part.low), part.high)
        elif isinstance(part, Squash):
            y = squash(y, part.bound)
        else:
            y = y / np.sqrt((1 - y / part.bound) * (1 + y / part.bound))
    return y.astype(X.dtype)


def some_maps(rng, d):
    centre, scale, gain, shift = parameters(rng, d)
    clip = Clip(np.full((1, d), -0.7), np.full((1, d), 1.2))
    bound = np.full((1, d), 2.0)
    affine = Affine(centre, scale)
    return {
        "centre": Affine(centre),
        "scale": Affine(scale=scale),
        "standard": affine,
        "gain": Affine(gain=gain),
        "shift": Affine(shift=shift),
        "all four": Affine(centre, scale, gain, shift),
        "clip": clip,
        "squash": Squash(bound),
        "unsquash": Unsquash(np.full((1, d), 100.0)),
        "clipped": Chain(affine, clip),
        "all clipped": Chain(Affine(centre, scale, gain, shift), clip),
        "squashed": Chain(affine, Squash(bound)),
        "clipped first": Chain(clip, affine, clip),
        "twice": Chain(affine, Affine(shift, gain)),
        "many": Chain(clip, affine, Squash(bound), Affine(gain=gain), clip, Squash(bound)),
        "identity": Chain(),
        "nothing": Affine(),
    }


MAPS = list(some_maps(np.random.default_rng(0), 1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", MAPS)
def test_every_width_to_the_bit(rng, name, dtype):
    for d in WIDTHS:
        map_ = some_maps(rng, d)[name]
        X = table(rng, int(rng.integers(1, 100)), d, dtype)
        assert_same_bits(map_(X), of_numpy(map_, X))


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("d", [1, 3, 8, 130])
def test_every_layout_to_the_bit(rng, name, d):
    map_ = some_maps(rng, d)[name]
    for n in (1, 2, 63, 64, 65, 500):
        X = table(rng, n, d)
        expected = of_numpy(map_, X)
        layouts = {
            "C": X.copy(),
            "F": X.copy(order="F"),
            "every other": X.repeat(2, axis=0).repeat(3, axis=1)[::2, ::3],
            "rows apart": np.hstack([X, X])[:, :d],
            "reversed": X[::-1, ::-1].copy()[::-1, ::-1],
            "unaligned": np.frombuffer(b"\0" + X.tobytes(), dtype=np.uint8)[1:].view(np.float64).reshape(n, d),
        }
        for layout, view in layouts.items():
            got = map_(view)
            assert_same_bits(np.ascontiguousarray(got), expected)
            assert got.flags.owndata or got.base is not view, layout
            assert np.array_equal(view, X, equal_nan=True), layout
            if view.flags.writeable:
                assert map_(view, view) is view
                assert_same_bits(np.ascontiguousarray(view), expected)


@pytest.mark.parametrize("out_layout", [np.ascontiguousarray, np.asfortranarray, lambda X: X.repeat(2, axis=1)[:, ::2]])
@pytest.mark.parametrize("in_layout", [np.ascontiguousarray, np.asfortranarray, lambda X: X[::-1].copy()[::-1]])
def test_the_output_may_be_laid_out_otherwise(rng, in_layout, out_layout):
    map_ = some_maps(rng, 5)["all clipped"]
    X = table(rng, 77, 5)
    out = out_layout(np.zeros_like(X))
    assert map_(in_layout(X), out) is out
    assert_same_bits(np.ascontiguousarray(out), of_numpy(map_, X))


@pytest.mark.parametrize("name", MAPS)
def test_a_chain_is_its_maps_one_by_one(rng, name):
    map_ = some_maps(rng, 6)[name]
    X = table(rng, 40, 6)
    y = X.copy()
    for part in map_.maps if isinstance(map_, Chain) else [map_]:
        y = part(y)
    assert_same_bits(map_(X), y)


def test_a_chain_fuses_what_the_kernel_does_in_one_stage(rng):
    maps = some_maps(rng, 3)
    n_stages = {"all clipped": 1, "clipped": 1, "clipped first": 2, "twice": 2, "squashed": 2, "many": 5, "identity": 0}
    for name, n in n_stages.items():
        assert len(maps[name].stages()) == n, name
    assert [stage.kind for stage in maps["all clipped"].stages()] == [
        _apply.STAGE_DIVIDE | _apply.STAGE_MULTIPLY | _apply.STAGE_CLIP
    ]


def test_float32_is_rounded_once_at_the_end():
    # In single precision 1.7e9 + 3 would be 1.7e9 before anything is subtracted.
    map_ = Affine(np.array([[1.7e9 + 3]]), np.array([[7.0]]))
    X = np.array([[1.7e9 + 128]], dtype=np.float32)
    assert map_(X)[0, 0] == np.float32((float(X[0, 0]) - (1.7e9 + 3)) / 7)


def test_dividing_is_no_multiplying_by_a_reciprocal(rng):
    scale = rng.uniform(1, 1e6, (1, 3000))
    assert (Affine(scale=scale)(scale) == 1).all()
    assert (scale * (1 / scale) != 1).any()


# Inverses.


@pytest.mark.parametrize(
    "name", ["centre", "scale", "standard", "gain", "shift", "all four", "squash", "squashed", "twice"]
)
def test_the_inverse_undoes_the_map(rng, name):
    map_ = some_maps(rng, 4)[name]
    X = rng.normal(size=(200, 4))
    np.testing.assert_allclose(map_.inverse()(map_(X)), X, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(map_.inverse().inverse()(X), map_(X), rtol=1e-14)


def test_the_inverse_of_a_clip_is_the_identity(rng):
    X = table(rng, 10, 3)
    assert_same_bits(some_maps(rng, 3)["clip"].inverse()(X), X)


def test_the_inverse_of_an_affine_is_the_affine_backwards(rng):
    centre, scale, gain, shift = parameters(rng, 4)
    y = rng.normal(size=(9, 4))
    assert_same_bits(Affine(centre, scale, gain, shift).inverse()(y), (y - shift) / gain * scale + centre)


# Clipping.


def test_clip_at_its_bounds():
    clip = Clip(np.array([[-1.0, 0.0]]), np.array([[1.0, 0.0]]))
    X = np.array([[-1.0, 5.0], [1.0, -5.0], [np.nan, np.nan], [-1e308, 1e-320], [1.0000000000000002, 0.0]])
    assert_same_bits(clip(X), np.array([[-1.0, 0], [1.0, 0], [np.nan, np.nan], [-1.0, 0], [1.0, 0]]))


@pytest.mark.parametrize("bound", [1e-5, 1.0, 3.0, 1e100])
def test_squash_is_its_formula(rng, bound):
    bounds = np.array([[bound]])
    x = np.concatenate([10.0 ** rng.uniform(-300, 150, 999), [0.0]])[:, np.newaxis] * rng.choice([-1, 1], (1000, 1))
    y = Squash(bounds)(x)
    with np.errstate(over="ignore", under="ignore"):
        expected = np.where(np.abs(x / bound) < 1e150, x / np.sqrt(1 + (x / bound) ** 2), np.copysign(bound, x))
    np.testing.assert_allclose(y, expected, rtol=1e-15)
    assert (np.abs(y) <= bound).all()
    inside = np.abs(x) < 100 * bound
    np.testing.assert_allclose(Unsquash(bounds)(y)[inside], x[inside], rtol=1e-11)


def test_squash_and_its_inverse_at_the_ends():
    squash_, bound = Squash(np.array([[3.0]])), 3.0
    np.testing.assert_array_equal(squash_(np.array([[1e200], [-1e200], [np.nan]])), [[bound], [-bound], [np.nan]])
    y = np.array([[3.0], [-3.0], [4.0], [np.nan], [0.0]])
    np.testing.assert_array_equal(squash_.inverse()(y), [[np.inf], [-np.inf], [np.inf], [np.nan], [0.0]])
    assert isinstance(squash_.inverse().inverse(), Squash)


# Groups.


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("d", [1, 3, 70])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda X: X.repeat(2, axis=1)[:, ::2]])
def test_a_code_picks_its_groups_parameters(rng, name, d, layout):
    each = [some_maps(np.random.default_rng(seed), d)[name] for seed in range(3)]

    def stacked(maps):
        if isinstance(maps[0], Chain):
            return Chain(*(stacked(list(parts)) for parts in zip(*(map_.maps for map_ in maps), strict=True)))
        fields = [[value for value in vars(map_).items() if value[0] != "_program"] for map_ in maps]
        return type(maps[0])(
            *(None if pairs[0][1] is None else np.vstack([v for _, v in pairs]) for pairs in zip(*fields, strict=True))
        )

    X, codes = table(rng, 50, d), rng.integers(0, 3, 50)
    got = np.ascontiguousarray(stacked(each)(layout(X), None, codes))
    for group in range(3):
        assert_same_bits(got[codes == group], each[group](X[codes == group]))


@pytest.mark.parametrize("code", [-1, 2, 2**40])
def test_a_code_outside_the_groups_is_an_error(rng, code):
    centre, scale, *_ = parameters(rng, 3, n_groups=2)
    codes = np.zeros(10, dtype=np.intp)
    codes[-1] = code
    with pytest.raises(IndexError, match="group's code"):
        Affine(centre, scale)(table(rng, 10, 3), None, codes)


def test_codes_of_another_length_or_type_are_an_error(rng):
    map_ = some_maps(rng, 3)["standard"]
    for codes in (np.zeros(9, dtype=np.intp), np.zeros(10, dtype=np.int32), np.zeros(20, dtype=np.intp)[::2]):
        with pytest.raises(ValueError, match="contiguous intp"):
            map_(table(rng, 10, 3), None, codes)


# Infinities.


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_an_infinity_is_an_error_and_an_in_place_table_stays(rng, name, value, dtype):
    map_ = some_maps(rng, 5)[name]
    for layout in (np.ascontiguousarray, np.asfortranarray, lambda X: X.repeat(2, axis=0)[::2]):
        for where in ((0, 0), (33, 2), (69, 4)):
            X = table(rng, 70, 5, dtype)
            X[where] = value
            X = layout(X)
            before = X.copy()
            for out in (None, X):
                with pytest.raises(ValueError, match="contains infinity"):
                    map_(X, out)
                assert_same_bits(X, before)


def test_a_result_that_overflows_is_no_error():
    got = Affine(gain=np.array([[1e300]]))(np.array([[1e200], [-1e200], [1.0]]))
    np.testing.assert_array_equal(got, [[np.inf], [-np.inf], [1e300]])


# What the kernel refuses.


def test_the_kernel_checks_what_it_is_given(rng):
    X = table(rng, 10, 3)
    program = identity(3)
    with pytest.raises(ValueError, match="width"):
        program(X[:, :2], X[:, :2], 0, 10)
    with pytest.raises(ValueError, match="rows"):
        program(X, X, 0, 11)
    with pytest.raises(TypeError, match="float32 or float64"):
        program(X, X.astype(np.float32), 0, 10)
    with pytest.raises(TypeError, match="float32 or float64"):
        program(np.zeros((10, 3), dtype=int), np.zeros((10, 3), dtype=int), 0, 10)
    read_only = X.copy()
    read_only.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        program(X, read_only, 0, 10)
    with pytest.raises(ValueError, match="shape"):
        _apply.Program([1], np.zeros((1, 5, 1, 3)))


def test_no_rows_and_no_columns():
    assert Affine(np.zeros((1, 3)))(np.empty((0, 3))).shape == (0, 3)
    assert Chain()(np.empty((4, 0))).shape == (4, 0)


@pytest.mark.parametrize("name", MAPS)
def test_keeps_zero_says_what_zero_becomes(rng, name):
    map_ = some_maps(rng, 4)[name]
    assert map_.keeps_zero(4) == (not map_(np.zeros((1, 4))).any())


@pytest.mark.parametrize("name", MAPS)
def test_pickle(rng, name):
    map_ = some_maps(rng, 4)[name]
    X = table(rng, 10, 4)
    expected = map_(X)
    assert_same_bits(pickle.loads(pickle.dumps(map_))(X), expected)
