"""The figures of the notebooks.

Every drawing function takes and returns an ``Axes``, gets all its data as arguments and changes nothing else.
``figure`` makes styled axes to draw on. A notebook shows a figure where a cell ends with it or its axes::

    fig, ax = figure()
    amdahl(ax, serial_fraction=0.05, cores=8)
"""

from mlteach.teach.plots.cache_lines import by_size, cache_step, column_walk
from mlteach.teach.plots.cores import core_ceilings, serial_share
from mlteach.teach.plots.descent import cost_surface, descent_path, stability_limit, step_size
from mlteach.teach.plots.digits import (
    image_grid,
    mean_digits,
    pca_scatter,
    pixel_histogram,
    principal_components,
    wrong_digits,
)
from mlteach.teach.plots.fragments import fragments, fragments_text
from mlteach.teach.plots.fusing import block_sizes, waterfall
from mlteach.teach.plots.guessing import guesses
from mlteach.teach.plots.iteration import empty_ladder, ladder_by_iteration
from mlteach.teach.plots.loops import ORDERS, loop_steps, loop_walk
from mlteach.teach.plots.machine_code import instruction_mix, occupancy_steps, occupancy_text
from mlteach.teach.plots.network import confusion_matrix, hidden_units
from mlteach.teach.plots.parallel import amdahl, gantt, speed_up
from mlteach.teach.plots.passes import passes
from mlteach.teach.plots.pipeline import chain_and_lanes, chain_cycles
from mlteach.teach.plots.raw import byte_strip, pixel_values
from mlteach.teach.plots.reading import reading
from mlteach.teach.plots.roofline import roofline
from mlteach.teach.plots.rungs import ladder, ladder_by_size
from mlteach.teach.plots.scores import weighted_sum
from mlteach.teach.plots.speeds import rung_speeds
from mlteach.teach.plots.style import COLOURS, figure, headline, label_ends
from mlteach.teach.plots.tile_walk import tile_walk, tile_walk_text
from mlteach.teach.plots.tiles import chain_speeds, tile_model, tile_plane
from mlteach.teach.plots.tiling import speed_by_size, tile_misses
from mlteach.teach.plots.training import accuracy_curve, cost_curve, mistakes_by_seconds, product_share
from mlteach.teach.plots.warps import (
    block_warp_text,
    space_time,
    thread_map,
    tile_on_banks,
    warp_explorer,
    warp_on_matrix,
)

__all__ = [
    "COLOURS",
    "ORDERS",
    "accuracy_curve",
    "amdahl",
    "block_sizes",
    "block_warp_text",
    "by_size",
    "byte_strip",
    "cache_step",
    "chain_and_lanes",
    "chain_cycles",
    "chain_speeds",
    "column_walk",
    "confusion_matrix",
    "core_ceilings",
    "cost_curve",
    "cost_surface",
    "descent_path",
    "empty_ladder",
    "figure",
    "fragments",
    "fragments_text",
    "gantt",
    "guesses",
    "headline",
    "hidden_units",
    "image_grid",
    "instruction_mix",
    "label_ends",
    "ladder",
    "ladder_by_iteration",
    "ladder_by_size",
    "loop_steps",
    "loop_walk",
    "mean_digits",
    "mistakes_by_seconds",
    "occupancy_steps",
    "occupancy_text",
    "passes",
    "pca_scatter",
    "pixel_histogram",
    "pixel_values",
    "principal_components",
    "product_share",
    "reading",
    "roofline",
    "rung_speeds",
    "serial_share",
    "space_time",
    "speed_by_size",
    "speed_up",
    "stability_limit",
    "step_size",
    "thread_map",
    "tile_misses",
    "tile_model",
    "tile_on_banks",
    "tile_plane",
    "tile_walk",
    "tile_walk_text",
    "warp_explorer",
    "warp_on_matrix",
    "waterfall",
    "weighted_sum",
    "wrong_digits",
]
