"""semiology: from clinical video to semiologic signs, with the evidence. Not a medical device."""

from importlib import import_module

# What `semiology.<name>` offers, loaded when first asked for, so that `import semiology` stays
# light.
_PUBLIC = {
    "UserError": "semiology.errors",
    "Cohort": "semiology.data.cohort",
    "load_skeleton": "semiology.data.skeleton",
    "make_tracks": "semiology.data.tracks",
    "read_tracks": "semiology.data.tracks",
    "save_tracks": "semiology.data.tracks",
}
__all__ = [*_PUBLIC]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'semiology' has no attribute {name!r}")
