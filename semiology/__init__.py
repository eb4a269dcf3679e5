"""semiology: from clinical video to semiologic signs, with the evidence. Not a medical device."""

from importlib import import_module

# What `semiology.<name>` offers, loaded when it is first used, so that `import semiology` stays
# light. Each room holds its public functions in a file `api.py`.
_PUBLIC = {
    "UserError": "semiology.errors",
    "Cohort": "semiology.data.cohort",
    "Result": "semiology.data.result",
    "make_tracks": "semiology.data.api",
    "read_tracks": "semiology.data.api",
    "write_tracks": "semiology.data.api",
    "load_skeleton": "semiology.data.api",
    "preprocess": "semiology.data.api",
    "check_cohort": "semiology.data.api",
    "extract": "semiology.tracking.api",
    "tracking_error": "semiology.tracking.api",
    "evaluate": "semiology.evaluation.api",
    "report": "semiology.evaluation.api",
    "audit": "semiology.evaluation.api",
    "agreement": "semiology.evaluation.api",
    "loso": "semiology.experiments.api",
    "table": "semiology.experiments.api",
    "judge": "semiology.experiments.api",
    "explain": "semiology.experiments.api",
    "probe": "semiology.experiments.api",
    "reproduce": "semiology.experiments.api",
    "predict": "semiology.timeline.api",
    "predict_timeline": "semiology.timeline.api",
    "find_events": "semiology.timeline.api",
    "score_events": "semiology.timeline.api",
    "kinematics": "semiology.severity.api",
    "hands": "semiology.severity.api",
    "find_jerks": "semiology.severity.api",
    "myoclonus": "semiology.severity.api",
    "weakness": "semiology.severity.api",
    "features": "semiology.severity.api",
}
__all__ = [*_PUBLIC]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'semiology' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
