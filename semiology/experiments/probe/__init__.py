"""What the layers of a trained stream know: their features as tables, linear probes with controls,
similarity. A notebook's interface.
"""

from semiology.experiments.probe.controls import identity_probe, random_labels
from semiology.experiments.probe.features import (
    Features,
    cohort_columns,
    cohort_target,
    input_features,
    read_features,
)
from semiology.experiments.probe.layers import cka, layer_features, layer_names, similarity
from semiology.experiments.probe.linear import linear_probe
from semiology.experiments.probe.models import run_features
from semiology.experiments.probe.result import ProbeResult
from semiology.experiments.probe.run import Probing, probe_run

__all__ = [
    "Features",
    "ProbeResult",
    "Probing",
    "cka",
    "cohort_columns",
    "cohort_target",
    "identity_probe",
    "input_features",
    "layer_features",
    "layer_names",
    "linear_probe",
    "probe_run",
    "random_labels",
    "read_features",
    "run_features",
    "similarity",
]
