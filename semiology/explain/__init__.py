"""Which joints, bones, times and regions of the face a model looks at, and whether that can be believed."""

from semiology.explain.attribution import Attribution, integrated_gradients, occlusion
from semiology.explain.run import explain

__all__ = ["Attribution", "explain", "integrated_gradients", "occlusion"]
