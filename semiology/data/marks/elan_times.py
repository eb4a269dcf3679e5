"""Begin and end of the annotations of an .eaf, in ms.

A run of time slots without a value is spread equally between the valued ones at its ends, as ELAN
does: those of its tier, or of the whole file in a tier that depends on no other. The parts of a
Symbolic Subdivision share their parent's time equally.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from semiology.errors import UserError

SUBDIVISION = "Symbolic_Subdivision"
Span = tuple[float, float]  # ms


def aligned(path: Path, root: ET.Element) -> tuple[int, dict[str, Span]]:
    """How many time slots were without a value, and begin and end of every aligned annotation."""
    times: dict[str, float | None] = {}
    for slot in root.iter("TIME_SLOT"):
        value = slot.get("TIME_VALUE")
        if value is not None and not value.lstrip("-").isdigit():
            raise UserError(f"{path}: time slot {slot.get('TIME_SLOT_ID')}: {value!r} is no ms")
        times[slot.get("TIME_SLOT_ID", "")] = None if value is None else float(value)
    order = {name: place for place, name in enumerate(times)}
    tiers = [(tier, list(tier.iter("ALIGNABLE_ANNOTATION"))) for tier in _parents_first(root)]
    open_slots = sum(value is None for value in times.values())
    by_file = _spread(times, list(times))  # a tier without a parent: between the file's slots
    for tier, annotations in tiers:
        chain = set()
        for one in annotations:
            ends = one.get("TIME_SLOT_REF1", ""), one.get("TIME_SLOT_REF2", "")
            if missing := [name for name in ends if name not in times]:
                raise UserError(
                    f"{path}: {_where(tier, one)}: there is no time slot {missing[0]!r}; the file"
                    " is damaged"
                )
            chain |= {*ends}
        slots = sorted(chain, key=order.__getitem__)
        own = _spread(times, _with_neighbours(times, slots)) if tier.get("PARENT_REF") else by_file
        times |= {name: own[name] for name in slots if times[name] is None and name in own}
    spans: dict[str, Span] = {}
    for tier, annotations in tiers:
        for one in annotations:
            begin, end = times[one.get("TIME_SLOT_REF1", "")], times[one.get("TIME_SLOT_REF2", "")]
            if begin is None or end is None:
                raise UserError(
                    f"{path}: tier {tier.get('TIER_ID')!r} has no times; align its annotations in"
                    " ELAN"
                )
            if end < begin:
                raise UserError(
                    f"{path}: {_where(tier, one)}: ends at {end:g} ms, before it begins at"
                    f" {begin:g} ms; correct it"
                )
            spans[one.get("ANNOTATION_ID", "")] = begin, end
    return open_slots, spans


def _where(tier: ET.Element, one: ET.Element) -> str:
    return f"tier {tier.get('TIER_ID')!r}, annotation {one.get('ANNOTATION_ID')}"


def _with_neighbours(times: dict[str, float | None], chain: list[str]) -> list[str]:
    """The slots of a tier, and the nearest valued ones before and after where its ends have none:
    the parent's.
    """
    every = list(times)
    if chain and times[chain[0]] is None:
        before = [name for name in every[: every.index(chain[0])] if times[name] is not None]
        chain = before[-1:] + chain
    if chain and times[chain[-1]] is None:
        after = [name for name in every[every.index(chain[-1]) :] if times[name] is not None]
        chain = chain + after[:1]
    return chain


def _spread(times: Mapping[str, float | None], chain: Sequence[str]) -> dict[str, float]:
    """ms of the slots without a value, in equal steps of whole ms between the valued slots at the
    ends of their run [C: ELAN, TierImpl.proposeTimeFor, TimeOrderImpl.proposeTimeFor].
    """
    found = {}
    valued = [place for place, name in enumerate(chain) if times[name] is not None]
    for first, last in pairwise(valued):
        begin, end = times[chain[first]], times[chain[last]]
        assert begin is not None and end is not None
        for place in range(first + 1, last):
            step = (end - begin) // (last - first)
            found[chain[place]] = begin + (place - first) * step
    return found


def _parents_first(root: ET.Element) -> list[ET.Element]:
    """The tiers, each after the one that it depends on."""
    tiers = {tier.get("TIER_ID"): tier for tier in root.iter("TIER")}

    def depth(tier: ET.Element) -> int:
        above, count = tiers.get(tier.get("PARENT_REF")), 0
        while above is not None and count <= len(tiers):
            above, count = tiers.get(above.get("PARENT_REF")), count + 1
        return count

    return sorted(root.iter("TIER"), key=depth)


def referring(
    path: Path, root: ET.Element, kinds: dict[str | None, str | None], spans: dict[str, Span]
) -> dict[str, str]:
    """Add the spans of Symbolic Subdivisions to `spans`, in whole ms [C: ELAN,
    SymbolicSubdivision.getBeginTimeForRefAnnotation]; each associated annotation -> the mark that
    it says more about.
    """
    parents: dict[str, tuple[str, bool]] = {}  # annotation -> (parent, part of a subdivision)
    after: dict[str, str | None] = {}
    for tier in root.iter("TIER"):
        divides = kinds.get(tier.get("LINGUISTIC_TYPE_REF")) == SUBDIVISION
        for one in tier.iter("REF_ANNOTATION"):
            key = one.get("ANNOTATION_ID", "")
            parents[key] = one.get("ANNOTATION_REF", ""), divides
            after[key] = one.get("PREVIOUS_ANNOTATION")
            # ELAN reads a chain by PREVIOUS_ANNOTATION, whatever the order in the file
    for key, (parent, _) in parents.items():
        seen = {key}
        while parent not in spans:
            if parent not in parents or parent in seen:
                raise UserError(
                    f"{path}: annotation {key} refers to {parent!r}, which is none; the file is"
                    " damaged"
                )
            seen.add(parent)
            parent = parents[parent][0]
    groups: dict[tuple[str, str], list[str]] = {}
    for tier in root.iter("TIER"):
        for one in tier.iter("REF_ANNOTATION"):
            key = one.get("ANNOTATION_ID", "")
            if parents[key][1]:
                groups.setdefault((tier.get("TIER_ID", ""), parents[key][0]), []).append(key)
    waiting = dict(groups)
    while waiting:  # a subdivision's parent may be a part of another one
        ready = {group: keys for group, keys in waiting.items() if group[1] in spans}
        if not ready:
            break
        for group, keys in ready.items():
            begin, end = spans[group[1]]
            ends = [begin + (end - begin) * part // len(keys) for part in range(len(keys) + 1)]
            for key, span in zip(_chained(keys, after), pairwise(ends)):
                spans[key] = span
            del waiting[group]
    upper = {}
    for key in parents:
        above = key
        while above not in spans:
            above = parents[above][0]
        upper[key] = above
    return upper


def _chained(keys: list[str], after: dict[str, str | None]) -> list[str]:
    """Parts of a subdivision, each after its PREVIOUS_ANNOTATION."""
    following = {after[key]: key for key in keys}
    ordered, last = [], following.get(None)
    while last is not None and last not in ordered:
        ordered.append(last)
        last = following.get(last)
    return ordered if len(ordered) == len(keys) else keys
