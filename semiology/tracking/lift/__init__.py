"""The 3D lift: joints in the picture to joints in space, for trackers without depth."""

from semiology.tracking.lift.lifter import Lifter, lift, load_lifter
from semiology.tracking.lift.network import LifterNetwork

__all__ = ["Lifter", "LifterNetwork", "lift", "load_lifter"]
