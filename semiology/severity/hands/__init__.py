"""Movements of the hands from 21 landmarks each: finger tapping, opening and closing, pronation and
supination, tremor, and rhythmic movement such as automatisms.

`shape.hand_shape` turns tracks into series in hand lengths, `cycles` measures repeated movements,
`tremor` finds a peak in their spectrum, and `table.hand_table` brings a clip's together.
"""

from semiology.severity.hands.cycles import Cycles, find_cycles
from semiology.severity.hands.shape import AVERAGE_HAND, HandShape, hand_shape
from semiology.severity.hands.table import CONDITIONS, hand_table, hand_tables
from semiology.severity.hands.tremor import RHYTHM, TREMOR, Oscillation, oscillation

__all__ = [
    "AVERAGE_HAND",
    "CONDITIONS",
    "RHYTHM",
    "TREMOR",
    "Cycles",
    "HandShape",
    "Oscillation",
    "find_cycles",
    "hand_shape",
    "hand_table",
    "hand_tables",
    "oscillation",
]
