"""semiology: from clinical video to semiologic signs, with the evidence. Not a medical device."""

from importlib import import_module

# What `semiology.<name>` offers, loaded when first asked for, so that `import semiology` stays light.
_PUBLIC = {
    "UserError": "semiology.errors",
    "Cohort": "semiology.cohort",
    "load_skeleton": "semiology.skeleton",
    "make_tracks": "semiology.tracks",
    "read_tracks": "semiology.tracks",
    "save_tracks": "semiology.tracks",
}
__all__ = [*_PUBLIC]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'semiology' has no attribute {name!r}")
