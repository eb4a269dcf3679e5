"""Which joints, bones, times and regions of the face a model looks at, and whether that can be
believed.
"""

from semiology.experiments.explain.attribution import Attribution, integrated_gradients, occlusion
from semiology.experiments.explain.run import explain

__all__ = ["Attribution", "explain", "integrated_gradients", "occlusion"]
