"""The 3D lifter: joints in the image (px) to joints in space (m), for trackers without depth.

lifter.py applies a trained lifter to tracks, network.py is the network with its skeleton;
simulation.py has the virtual cameras and tracking errors, training.py trains and evaluates.
"""

from semiology.tracking.lift.lifter import Lifter, lift, load_lifter
from semiology.tracking.lift.network import LifterNetwork

__all__ = ["Lifter", "LifterNetwork", "lift", "load_lifter"]
