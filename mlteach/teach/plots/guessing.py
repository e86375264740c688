"""How far a reader's guesses were off."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from mlteach.measure.journal import Guess
from mlteach.teach.plots.style import BLUE, FAINT, GREY, ORANGE, headline, image_axes, plain_log, styled

NEAR = 2  # a guess within this factor is a good one: it names the right order


@styled
def guesses(ax: Axes, guessed: Mapping[str, Guess]) -> Axes:
    """Draw each guess as its multiple of the truth, on a logarithmic axis: 1 is right on.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    guessed : mapping of str to Guess
        As ``Journal().guesses()`` gives them. A guess whose truth is not known yet, or of which one is not
        above zero, has no multiple and is left out.

    Returns
    -------
    matplotlib.axes.Axes
    """
    shown = [guess for guess in guessed.values() if guess.value > 0 and (guess.truth or 0) > 0]
    if not shown:
        return image_axes(ax, "No guess to show: put numbers where notebooks ask for one")
    ratios = [guess.value / (guess.truth or 1) for guess in shown]
    near = [1 / NEAR <= ratio <= NEAR for ratio in ratios]
    ax.axvspan(1 / NEAR, NEAR, color=FAINT, alpha=0.3, lw=0)
    ax.axvline(1, color=GREY, lw=1)
    for place, (guess, ratio, good) in enumerate(zip(shown, ratios, near, strict=True)):
        colour = BLUE if good else ORANGE
        ax.plot([1, ratio], [place, place], color=colour, lw=2)
        ax.plot(ratio, place, "o", color=colour, gid=guess.question)
        words = f"{guess.question}: guessed {guess.value:g}, measured {guess.truth:.3g} {guess.unit}"
        ax.text(0, place - 0.32, words.strip(), va="center", size=11, transform=ax.get_yaxis_transform())
    ax.set_xscale("log")
    widest = max(10, 1.3 * max(max(ratio, 1 / ratio) for ratio in ratios))
    ax.set(xlim=(1 / widest, widest), ylim=(len(shown) - 0.4, -0.7), yticks=[])
    plain_log(ax.xaxis)
    ax.spines["left"].set_visible(False)
    title = f"{sum(near)} of {len(shown)} guesses within a factor of {NEAR}"
    return headline(ax, title, x="your guess as a multiple of what was measured")
