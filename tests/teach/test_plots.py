"""Figures, judged by what they contain and by whether a reader can read it."""

import itertools

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes

from mlteach.matmul import KERNELS
from mlteach.measure import Journal, Measurement
from mlteach.teach import plots
from mlteach.teach.plots import rungs
from mlteach.teach.plots.style import CARD, FAINT, GREY, STYLE, spread, styled

RNG = np.random.default_rng(20170)
IMAGES = RNG.integers(0, 256, (60, 28, 28), dtype=np.uint8) * (RNG.random((60, 28, 28)) < 0.2)
LABELS = np.arange(60) % 10
READ = np.where(np.arange(60) % 3 == 0, (LABELS + 1) % 10, LABELS)
POINTS = np.linspace(-1, 2, 30)
VALUES = 0.5 + 0.8 * POINTS + 0.1 * RNG.standard_normal(30)


def product(kernel, n, gflops, threads=1, dtype="float32"):
    return Measurement(kernel, "product", (n, n, n), dtype, threads, 2 * n**3 / gflops / 1e9)


def iteration(kernel, seconds, scaled=False, dtype="float64"):
    return Measurement(kernel, "iteration", (60000, 785, 10), dtype, 1, seconds, scaled)


OWN = [
    *(product("loops", n, 0.064) for n in (32, 64, 128)),
    *(product("threads_row", n, 0.06) for n in (32, 64, 128)),
    *(product("jit", n, speed) for n, speed in ((64, 3.0), (256, 4.1), (1024, 0.3))),
    *(product("blas", n, speed) for n, speed in ((64, 60.0), (2048, 215.0))),
    *(iteration("loops", 47.3, scaled=True), iteration("jit", 1.93), iteration("blas", 0.077)),
]
ELSEWHERE = [product("simd", 64, 70.0), product("simd", 2048, 229.0), product("jit", 64, 99.0)]
ELSEWHERE += [iteration("simd", 0.03), iteration("jit", 99.0)]
SPANS = [(f"thread {i % 2}", i * 2e-3, i * 2e-3 + 3e-3) for i in range(20)]

GALLERY = {
    "grid": lambda ax: plots.image_grid(ax, IMAGES[:20], LABELS[:20], title="Twenty digits"),
    "means": lambda ax: plots.mean_digits(ax, IMAGES, LABELS),
    "wrong": lambda ax: plots.wrong_digits(ax, IMAGES, LABELS, READ),
    "none wrong": lambda ax: plots.wrong_digits(ax, IMAGES, LABELS, LABELS),
    "pca": lambda ax: plots.pca_scatter(ax, IMAGES, LABELS),
    "pixels": lambda ax: plots.pixel_histogram(ax, IMAGES),
    "step": lambda ax: plots.step_size(ax, POINTS, VALUES, 0.5, 12),
    "step too large": lambda ax: plots.step_size(ax, POINTS, VALUES, 3, 400),
    "accuracy": lambda ax: plots.accuracy_curve(ax, {"train": [0.1, 0.5], "test": [0.1, 0.49]}, chance=0.1),
    "cost": lambda ax: plots.cost_curve(ax, {"0.01": [1, 0.5], "0.05": [1, 9, np.inf, 3]}, log=True),
    "share": lambda ax: plots.product_share(ax, {"loops": (46.0, 1.2), "blas": (0.01, 0.2)}),
    "walk": lambda ax: plots.loop_walk(ax, "pij", 33),
    "walk of one": lambda ax: plots.loop_walk(ax, "ijp", 0, shape=(1, 1, 1)),
    "gantt": lambda ax: plots.gantt(ax, SPANS),
    "amdahl": lambda ax: plots.amdahl(ax, 0.05, 8, measured={2: 0.9}),
    "amdahl, all serial": lambda ax: plots.amdahl(ax, 1, 1),
    "by size": lambda ax: plots.ladder_by_size(ax, OWN, "jit", 236.0, recorded=ELSEWHERE),
    "by size, all rungs": lambda ax: plots.ladder_by_size(
        ax,
        [product(name, n, 100.0 + i) for i, name in enumerate(plots.COLOURS) for n in (64, 512)],
        "simd",
        300,
    ),
    "by size, one slow rung and the peak": lambda ax: plots.ladder_by_size(ax, OWN[:3], "loops", 236),
    "by size, nothing": lambda ax: plots.ladder_by_size(ax, []),
    "by iteration": lambda ax: plots.ladder_by_iteration(ax, OWN, "jit", recorded=ELSEWHERE),
    "empty": lambda ax: plots.empty_ladder(ax, list(plots.COLOURS)[:13], guess=12),
    "empty, wild guess": lambda ax: plots.empty_ladder(ax, list(plots.COLOURS)[:13], guess=1e9),
}


@pytest.fixture
def ax():
    return plots.figure()[1]


def words(ax):
    return [text.get_text() for text in ax.texts]


def marked(ax, gid):
    """The artists that a figure calls `gid`."""
    return ax.findobj(lambda artist: artist.get_gid() == gid)


@pytest.mark.parametrize("name", GALLERY)
def test_a_figure_gives_back_its_axes_and_its_words_are_whole_and_apart(name, ax):
    assert GALLERY[name](ax) is ax
    assert ax.get_title("left")
    ax.figure.draw_without_rendering()
    page = ax.figure.bbox.padded(1)
    boxes = {}
    for text in [*ax.texts, ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label, *ticks(ax)]:
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
            assert page.y0 <= box.y0 <= box.y1 <= page.y1, text
            boxes[text] = box.padded(-1)
    for one, other in itertools.combinations(boxes, 2):
        assert not boxes[one].overlaps(boxes[other]) or both_on_the_surface(one, other), (one, other)


@pytest.mark.parametrize("name", ["walk", "by size", "step"])
def test_a_picture_is_a_png_that_a_notebook_can_keep(name, ax):
    png = GALLERY[name](ax).figure.png()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 1760  # twice the width on the page
    assert len(png) < 60_000


def ticks(ax):
    """The labels of ticks that are drawn: those within the limits."""
    for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
        low, high = sorted(axis.get_view_interval())
        yield from (tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high)


def both_on_the_surface(*texts):
    """Whether the words lie on contour lines, where a halo keeps them apart."""
    return any(text.get_path_effects() for text in texts)


def test_drawing_does_not_change_the_readers_style():
    with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "black", "axes.titleweight": "light"}):
        before = dict(matplotlib.rcParams)
        for draw in GALLERY.values():
            draw(plots.figure()[1])
        plots.figure()[0].png()
        assert dict(matplotlib.rcParams) == before


def test_the_readers_style_changes_no_figure():
    plain = plots.figure()[1]
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30, "axes.titlesize": 40}):
        other = plots.figure()[1]
        plots.amdahl(other)
    plots.amdahl(plain)
    assert other.get_facecolor() == plain.get_facecolor() == matplotlib.colors.to_rgba(CARD)
    assert other._left_title.get_size() == plain._left_title.get_size()
    assert other.texts[0].get_size() == plain.texts[0].get_size()


def test_pyplot_never_sees_a_figure():
    import matplotlib.pyplot as plt

    plots.amdahl(plots.figure()[1])
    assert plt.get_fignums() == []


def test_a_figure_and_its_axes_show_the_same_picture_once():
    fig, axes = plots.figure(1, 2)
    axes[0].set_title("Left")
    axes[1].set_title("Right.")
    assert repr(fig) == "Figure: Left. Right."
    data, metadata = axes[1]._repr_mimebundle_()
    assert data.keys() == {"image/png", "text/plain"}
    assert data["text/plain"] == repr(fig)
    assert metadata == {"image/png": {"width": 880}}
    assert isinstance(data["image/png"], str)


def test_a_figure_draws_the_same_bytes_twice():
    pictures = []
    for _ in range(2):
        fig, ax = plots.figure()
        plots.step_size(ax, POINTS, VALUES)
        pictures.append(fig.png())
    assert pictures[0] == pictures[1]


def test_an_svg_is_the_same_on_every_run(tmp_path):
    for name in ("one.svg", "two.svg"):
        fig, ax = plots.figure()
        plots.amdahl(ax)
        fig.savefig(tmp_path / name, metadata={"Date": None})
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_the_style_sheet_is_what_figures_use():
    assert STYLE["axes.spines.top"] is False
    fig, ax = plots.figure(2, 1)
    assert fig.get_figheight() == 9.2
    assert not ax[0].spines["right"].get_visible()


# Colours


def linear(colour):
    values = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    light, dark = sorted(
        (float(np.dot((0.2126, 0.7152, 0.0722), linear(c))) for c in (one, other)), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


def lab(rgb):
    """CIE L*a*b* of linear sRGB under D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ np.clip(rgb, 0, 1) / (0.9505, 1, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


EYES = {  # how colours reach a colour-blind eye, in linear sRGB: Machado, Oliveira and Fernandes, 2009
    "trichromat": np.eye(3),
    "protanope": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranope": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanope": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def test_every_rung_has_a_colour_of_its_own_that_stands_out_from_the_card():
    assert len(plots.COLOURS) == len(set(plots.COLOURS.values())) == 22
    assert [name for name in plots.COLOURS if name in KERNELS] == list(KERNELS)
    assert min(contrast(colour, CARD) for colour in plots.COLOURS.values()) >= 3
    assert contrast(GREY, CARD) >= 4.5


@pytest.mark.parametrize("eye", EYES)
def test_neighbours_on_the_ladder_stay_apart_for_every_eye(eye):
    seen = [lab(np.array(EYES[eye]) @ linear(colour)) for colour in plots.COLOURS.values()]
    for one, other in itertools.pairwise(seen):
        assert np.linalg.norm(one - other) > 20


# Words at the ends of lines


def test_spread_moves_levels_apart_and_no_more_than_needed():
    np.testing.assert_allclose(spread([0.1, 0.5, 0.9], 0.1), [0.1, 0.5, 0.9])
    np.testing.assert_allclose(spread([0.5, 0.5], 0.1), [0.45, 0.55])
    np.testing.assert_allclose(spread([0.3, 0.5, 0.5, 0.55], 0.2), [0.1625, 0.3625, 0.5625, 0.7625])
    np.testing.assert_allclose(spread([0.9, 0.95, 1.0], 0.1, 0, 1), [0.8, 0.9, 1.0])
    np.testing.assert_allclose(spread([0.0, 0.0, 0.7], 0.1, 0, 1), [0.0, 0.1, 0.7])
    assert spread([], 0.1).shape == (0,)


def test_spread_on_random_levels():
    for _ in range(50):
        levels = np.sort(RNG.random(RNG.integers(1, 12)))
        moved = spread(levels, 0.08)
        assert (np.diff(moved) > 0.08 - 1e-9).all()
        assert np.isclose(moved.mean(), levels.mean())


def test_names_at_one_height_are_pushed_apart_in_the_order_of_their_lines(ax):
    ax.set(xlim=(0, 1), ylim=(0, 1))
    plots.label_ends(ax, [(1, 0.5, "upper", "k"), (1, 0.49, "lower", "k"), (0.2, 0.1, "early", "k")])
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights["upper"] - heights["lower"] > 0.04
    assert np.isclose(heights["early"], 0.1)


def test_many_names_are_written_small_enough_to_fit(ax):
    ax.set(xlim=(0, 1), ylim=(0, 1))
    plots.label_ends(ax, [(1, 0.99, f"line {i}", "k") for i in range(40)])
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert -1e-9 < heights[0] < heights[-1] < 1 + 1e-9
    assert ax.texts[0].get_size() < 8


# The ladder


def lines(ax):
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def test_ladder_by_size_shows_each_rung_once_the_newest_in_its_colour(ax):
    plots.ladder_by_size(ax, OWN, "jit", 236.0, recorded=ELSEWHERE)
    drawn = lines(ax)
    assert list(drawn) == ["loops", "threads_row", "jit", "simd", "blas"]
    assert (drawn["jit"].get_color(), drawn["jit"].get_linestyle()) == (plots.COLOURS["jit"], "-")
    assert (drawn["loops"].get_color(), drawn["loops"].get_linestyle()) == (GREY, "--")
    assert drawn["simd"].get_color() == FAINT
    # The reader's own, not the recorded.
    np.testing.assert_allclose(drawn["jit"].get_xdata(), [64, 256, 1024])
    np.testing.assert_allclose(drawn["jit"].get_ydata(), [3.0, 4.1, 0.3])
    assert {*drawn, "peak 236"} == set(words(ax))
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_ylabel()) == ("log", "log", "GFLOP/s")
    assert "recorded on another machine" in ax.get_xlabel()
    assert marked(ax, "peak")[0].get_ydata()[0] == 236


def test_ladder_by_size_takes_square_products_of_one_dtype_and_the_fastest_threads(ax):
    wide = Measurement("loops", "product", (60000, 785, 10), "float32", 1, 47.0)
    made = [
        wide,
        product("jit", 64, 3.0, threads=2),
        product("jit", 64, 2.0),
        product("jit", 64, 9.0, dtype="float64"),
    ]
    plots.ladder_by_size(ax, made)
    assert list(lines(ax)) == ["jit"]
    np.testing.assert_allclose(lines(ax)["jit"].get_ydata(), [3.0])


def test_ladder_by_iteration_is_hollow_where_scaled_and_pale_where_recorded(ax):
    plots.ladder_by_iteration(ax, OWN, "jit", recorded=ELSEWHERE)
    drawn = lines(ax)
    face = {name: point.get_markerfacecolor() for name, point in drawn.items()}
    assert face == {
        "loops": CARD,
        "jit": plots.COLOURS["jit"],
        "simd": FAINT,
        "blas": drawn["blas"].get_color(),
    } | {"blas": face["blas"]}
    assert [text.get_text() for text in ax.get_yticklabels()] == ["loops", "jit", "simd", "blas"]
    assert words(ax) == ["≈ 47.3 s", "1.93 s", "30 ms", "77 ms"]
    assert "hollow" in ax.get_xlabel()
    low, high = ax.get_xlim()
    assert low <= 1e-3 < 100 <= high


def test_a_rung_that_takes_microseconds_or_hours_widens_the_axis(ax):
    plots.ladder_by_iteration(ax, [iteration("loops", 7200.0), iteration("cublas", 2e-5)])
    assert ax.get_xlim() == pytest.approx((1e-5, 1e4))


@pytest.mark.parametrize(
    ("guess", "place", "said"),
    [(12, 12, "your guess: 12 s"), (0, 1e-3, "← your guess: 0 s"), (1e9, 100, "→ ")],
)
def test_the_empty_ladder_marks_the_guess_within_its_limits(ax, guess, place, said):
    plots.empty_ladder(ax, guess=guess)
    assert marked(ax, "guess")[0].get_xdata() == pytest.approx([place])
    assert words(ax)[0].startswith(said)
    assert len(ax.get_yticklabels()) == 22


def test_the_empty_ladder_without_a_guess_marks_none(ax):
    plots.empty_ladder(ax)
    assert not marked(ax, "guess")
    assert words(ax) == []


def test_ladder_joins_the_journal_and_the_recorded_ladders(tmp_path, monkeypatch):
    monkeypatch.setattr(rungs, "recorded_ladder", lambda: ELSEWHERE)
    journal = Journal(tmp_path)
    for made in OWN:
        journal.record(made)
    above, below = plots.ladder("jit", journal=journal, measure=False).axes
    assert list(lines(above)) == ["loops", "threads_row", "jit", "simd", "blas"]
    assert list(lines(below)) == ["loops", "jit", "simd", "blas"]


def test_ladder_with_an_empty_journal_and_nothing_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(rungs, "recorded_ladder", list)
    fig = plots.ladder("loops", journal=Journal(tmp_path), measure=False)
    assert "No square product measured yet" in repr(fig)
    assert "nothing measured yet" in repr(fig)


# Digits


def test_image_grid_lays_images_out_in_rows_with_their_labels_above(ax):
    plots.image_grid(ax, IMAGES[:12], LABELS[:12], columns=5)
    assert len(ax.images) == 12
    np.testing.assert_array_equal(ax.images[7].get_array(), IMAGES[7])
    assert words(ax) == [str(label) for label in LABELS[:12]]
    lefts, tops = zip(*((image.get_extent()[0], image.get_extent()[3]) for image in ax.images), strict=True)
    assert len(set(lefts)) == 5
    assert len(set(tops)) == 3
    assert tops[0] < tops[5]


def test_image_grid_of_one_level_is_paper(ax):
    plots.image_grid(ax, np.zeros((1, 4, 4)))
    assert ax.images[0].norm(0.0) == 0


@pytest.mark.parametrize(
    ("images", "labels", "sentence"),
    [(np.zeros((28, 28)), None, "give shape"), (IMAGES, [1, 2], "60 images have 2 labels")],
)
def test_image_grid_refuses_what_is_no_stack_of_pictures(ax, images, labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        plots.image_grid(ax, images, labels)


def test_mean_digits_shows_the_mean_of_each_class_even_with_gaps(ax):
    labels = np.where(LABELS < 5, 3, 7)
    plots.mean_digits(ax, IMAGES, labels)
    assert words(ax) == ["3", "7"]
    np.testing.assert_allclose(ax.images[1].get_array(), IMAGES[labels == 7].mean(axis=0))


def test_wrong_digits_names_what_it_is_and_what_was_read(ax):
    plots.wrong_digits(ax, IMAGES, LABELS, READ, columns=4, rows=2)
    assert len(ax.images) == 8
    assert words(ax)[1] == "3 → 4"
    assert ax.get_title("left").startswith("20 of 60 misread")


def test_principal_components_are_the_directions_of_largest_variance():
    x = RNG.standard_normal((50, 6)) * (9, 5, 1, 1, 1, 1)
    places, share = plots.principal_components(x)
    variances = np.linalg.eigvalsh(np.cov(x.T))[::-1]
    np.testing.assert_allclose(places.var(axis=0, ddof=1), variances[:2], rtol=1e-4)
    np.testing.assert_allclose(share, variances[:2] / variances.sum(), rtol=1e-4)


def test_the_sign_of_a_principal_component_does_not_depend_on_the_order():
    x = RNG.standard_normal((50, 6)) * (9, 5, 1, 1, 1, 1)
    forward, backward = plots.principal_components(x)[0], plots.principal_components(x[::-1])[0]
    np.testing.assert_allclose(forward, backward[::-1], atol=1e-4)


def test_pca_scatter_writes_every_point_as_its_digit(ax):
    plots.pca_scatter(ax, IMAGES, LABELS, sample=40)
    assert len(ax.collections) == 10
    assert sum(len(points.get_offsets()) for points in ax.collections) == 40


def test_pixel_histogram_counts_zeros_apart_from_the_rest(ax):
    image = np.concatenate([np.zeros(80), np.full(15, 1), np.full(3, 17), np.full(2, 255)])
    plots.pixel_histogram(ax, image)
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(heights, [80, 18, *[0] * 13, 2])
    assert ax.get_title("left") == "80 % of all pixels are exactly 0"


# Descent


def test_cost_surface_marks_the_lowest_point_and_keeps_the_limits(ax):
    u, v = np.linspace(-2, 3, 51), np.linspace(0, 4, 41)
    plots.cost_surface(ax, u, v, (u - 1) ** 2 + (v[:, None] - 2) ** 2, names=("width", "height"))
    assert [marked(ax, "lowest")[0].get_xdata()[0], marked(ax, "lowest")[0].get_ydata()[0]] == pytest.approx(
        [1, 2]
    )
    assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 3), (0, 4))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("width", "height")


def test_a_flat_cost_surface_has_no_lines(ax):
    plots.cost_surface(ax, [0, 1, 2], [0, 1], np.ones((2, 3)))
    assert not ax.collections


@pytest.mark.parametrize(
    ("cost", "sentence"),
    [(np.ones((3, 2)), "does not fit 3 values of u and 2 of v"), ([[1, 2, np.nan]] * 2, "finite")],
)
def test_cost_surface_refuses_what_is_no_surface(ax, cost, sentence):
    with pytest.raises(ValueError, match=sentence):
        plots.cost_surface(ax, [0, 1, 2], [0, 1], cost)


def test_descent_path_keeps_the_limits_and_says_when_it_leaves(ax):
    ax.set(xlim=(0, 1), ylim=(0, 1))
    plots.descent_path(ax, [(0.2, 0.2), (0.8, 0.8), (2, 2), (1e300, 1e300), (np.inf, np.nan)], name="end")
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1), (0, 1))
    assert words(ax) == ["start", "step 2 leaves the picture"]
    assert np.isfinite(marked(ax, "path")[0].get_xydata()).all()


def test_descent_path_is_named_where_it_ends(ax):
    plots.descent_path(ax, [(0.2, 0.2), (0.8, 0.8)], name="after 1 step")
    assert words(ax) == ["start", "after 1 step"]
    with pytest.raises(ValueError, match="list of pairs"):
        plots.descent_path(ax, [1, 2, 3])


def test_step_size_walks_as_gradient_descent_does(ax):
    plots.step_size(ax, POINTS, VALUES, 0.4, 7, start=(2.0, -1.0))
    theta, x = np.array([2.0, -1.0]), np.column_stack([np.ones(30), POINTS])
    for _ in range(7):
        theta = theta - 0.4 / 30 * x.T @ (x @ theta - VALUES)
    np.testing.assert_allclose(marked(ax, "path")[0].get_xydata()[-1], theta)
    best = np.linalg.lstsq(x, VALUES, rcond=None)[0]
    lowest = marked(ax, "lowest")[0].get_xydata()[0]
    np.testing.assert_allclose(lowest, best, atol=1e-9)


def test_the_stability_limit_parts_steps_that_fall_from_steps_that_climb(ax):
    limit = plots.stability_limit(POINTS)
    plots.step_size(ax, POINTS, VALUES, 0.99 * limit, 300)
    assert "goes down" in ax.get_title("left")
    assert "leaves" not in "".join(words(ax))
    beyond = plots.figure()[1]
    plots.step_size(beyond, POINTS, VALUES, 1.05 * limit, 300)
    assert "beyond the limit" in beyond.get_title("left")
    assert "leaves the picture" in "".join(words(beyond))


def test_step_size_needs_a_slope_to_find(ax):
    with pytest.raises(ValueError, match="different x"):
        plots.step_size(ax, [1, 1, 1], [1, 2, 3])


# Training


def test_accuracy_curve_takes_lists_and_places_and_names_lines_at_their_ends(ax):
    plots.accuracy_curve(ax, {"jit": [0.1, 0.4], "blas": ([0, 2.5], [0.1, 0.7])}, x="seconds", chance=0.0987)
    drawn = lines(ax)
    np.testing.assert_allclose(drawn["blas"].get_xdata(), [0, 2.5])
    assert drawn["jit"].get_color() == plots.COLOURS["jit"]
    assert set(words(ax)) == {"jit", "blas", "guessing"}
    assert ax.get_ylim() == (0, 1)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("seconds", "% of the digits read right")


def test_cost_curve_stops_where_a_cost_is_not_finite(ax):
    plots.cost_curve(ax, {"good": [1, 0.5], "bad": [1, 4, np.inf, 2], "nothing": [np.nan]})
    np.testing.assert_allclose(lines(ax)["bad"].get_ydata(), [1, 4])
    assert set(words(ax)) == {"good", "bad"}


def test_product_share_stacks_to_a_hundred(ax):
    plots.product_share(ax, {"loops": (45.0, 5.0), "blas": (0.01, 0.03)})
    bars = np.array([bar.get_width() for bar in ax.patches]).reshape(2, 2)
    np.testing.assert_allclose(bars, [[90, 25], [10, 75]])
    assert {"90 %", "25 %", "50 s", "40 ms", "the product", "the rest"} <= set(words(ax))


@pytest.mark.parametrize("times", [(0, 0), (-1, 2)])
def test_product_share_refuses_times_that_cannot_be(ax, times):
    with pytest.raises(ValueError, match="cannot be"):
        plots.product_share(ax, {"loops": times})


# Loops


@pytest.mark.parametrize("order", plots.ORDERS)
def test_loop_steps_visits_what_three_loops_visit(order):
    sizes = dict(zip("ipj", (4, 3, 5), strict=True))
    expected = []
    for x in range(sizes[order[0]]):
        for y in range(sizes[order[1]]):
            for z in range(sizes[order[2]]):
                at = dict(zip(order, (x, y, z), strict=True))
                expected.append((at["i"], at["j"], at["p"]))
    assert plots.loop_steps(order).tolist() == [list(step) for step in expected]
    assert plots.loop_steps(order.replace("p", "k")).tolist() == plots.loop_steps(order).tolist()


@pytest.mark.parametrize("order", ["ij", "iij", "xyz", ""])
def test_loop_steps_refuses_other_letters(order):
    with pytest.raises(ValueError, match="is not three loops"):
        plots.loop_steps(order)


def cells(ax):
    """The line width of each cell, and the number in it."""
    return {patch.get_gid(): patch.get_linewidth() for patch in ax.patches}


def test_loop_walk_frames_the_cells_of_this_step_and_counts_touches(ax):
    plots.loop_walk(ax, "ipj", 23)
    framed = {name for name, width in cells(ax).items() if width > 2}
    assert framed == {"a[1, 1]", "b[1, 3]", "out[1, 3]"}
    assert len(cells(ax)) == 4 * 3 + 3 * 5 + 4 * 5
    numbers = [int(word) for word in words(ax) if word.isdigit()]
    assert sum(numbers) == 3 * 24  # each step touches one cell of each matrix
    assert "out[1, 3] += a[1, 1] * b[1, 3]" in ax.get_title("left")
    assert "for p = 1  of 3" in "".join(words(ax))


def test_loop_walk_says_how_far_it_moves_in_memory(ax):
    plots.loop_walk(ax, "ijp", 3)  # the first step of the second column: p falls back from 2 to 0
    moves = next(word for word in words(ax) if "moves" in word)
    assert [line.split() for line in moves.splitlines()[1:]] == [["a", "−2"], ["b", "−9"], ["out", "+1"]]


@pytest.mark.parametrize("order", plots.ORDERS)
def test_loop_walk_past_its_last_step_has_touched_everything(ax, order):
    plots.loop_walk(ax, order, 10_000)
    numbers = [int(word) for word in words(ax) if word.isdigit()]
    assert len(numbers) == 47
    assert sum(numbers) == 3 * 60


# Workers


def extent(path):
    """Where a bar begins and ends."""
    return path.vertices[:, 0].min(), path.vertices[:, 0].max()


def test_gantt_draws_each_task_on_its_workers_row_from_the_first_start(ax):
    plots.gantt(ax, [("b", 10.5, 11.0), ("z", 10.0, 10.25), ("z", 10.5, 10.75)])
    rows = [marked(ax, f"worker {row}")[0] for row in (1, 2)]
    assert [[extent(path) for path in row.get_paths()] for row in rows] == [
        [(0, 0.25), (0.5, 0.75)],
        [(0.5, 1)],
    ]
    assert words(ax) == ["50 % busy", "50 % busy"]
    assert ax.get_xlim() == (0, 1)
    assert ax.get_xlabel() == "time, s"


@pytest.mark.parametrize(("scale", "unit"), [(1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "µs"), (0, "µs")])
def test_gantt_chooses_its_unit(ax, scale, unit):
    plots.gantt(ax, [(0, 0, 2 * scale)])
    (task,) = marked(ax, "worker 1")[0].get_paths()
    assert extent(task) == pytest.approx(ax.get_xlim() if scale else (0, 0))
    assert ax.get_xlabel() == f"time, {unit}"
    assert ax.get_title("left") == "1 task on 1 worker"


@pytest.mark.parametrize("spans", [[], [("a", 2, 1)]])
def test_gantt_refuses_what_is_no_time(ax, spans):
    with pytest.raises(ValueError, match="start <= stop"):
        plots.gantt(ax, spans)


def test_amdahl_draws_the_law_its_ceiling_and_what_was_measured(ax):
    plots.amdahl(ax, 0.25, 4, measured={1: 1.0, 2: 0.9})
    law = marked(ax, "law")[0]
    np.testing.assert_allclose(law.get_ydata(), 1 / (0.25 + 0.75 / law.get_xdata()))
    assert marked(ax, "ceiling")[0].get_ydata()[0] == 4
    assert marked(ax, "marked")[0].get_xydata().tolist() == [[4, pytest.approx(1 / (0.25 + 0.75 / 4))]]
    assert {"Amdahl's law", "no serial part", "ceiling 4", "measured"} == set(words(ax))
    assert ax.get_ylim()[0] < 0.9


def test_amdahl_without_a_serial_part_has_no_ceiling(ax):
    plots.amdahl(ax, 0, 64)
    assert not marked(ax, "ceiling")
    assert "64 times" in ax.get_title("left")


@pytest.mark.parametrize(("fraction", "cores"), [(-0.1, 2), (1.1, 2), (0.5, 0)])
def test_amdahl_refuses_what_cannot_be(ax, fraction, cores):
    with pytest.raises(ValueError, match="0 to 1"):
        plots.amdahl(ax, fraction, cores)


def test_a_styled_function_keeps_its_name_and_gives_its_result():
    assert plots.amdahl.__name__ == "amdahl"
    assert styled(lambda: 7)() == 7
    assert isinstance(plots.figure()[1], Axes)


def test_rung_speeds_are_bars_of_gflops():
    made = [Measurement(name, "product", (100, 20, 5), "float32", 1, 0.01 / fast, fast == 1)
            for fast, name in enumerate(("loops", "jit", "blas"), 1)]  # fmt: skip
    fig, ax = plots.figure()
    plots.rung_speeds(ax, made, peak=9)
    low = ax.get_xlim()[0]
    assert np.allclose([bar.get_width() + low for bar in ax.patches], [one.gflops for one in made])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["loops", "jit", "blas"]
    words = [text.get_text() for text in ax.texts]
    assert words[0].startswith(" ≈")
    assert "peak 9" in words[-1]
    assert "100 x 20 times 20 x 5" in repr(fig)
    with pytest.raises(ValueError, match="at least one rung"):
        plots.rung_speeds(ax, [])
