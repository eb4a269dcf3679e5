"""The result of an extraction, in numbers and in a few lines."""

from dataclasses import dataclass, field

import numpy as np

from semiology.tracking.extraction.review import look_first
from semiology.tracking.pose.base import PARTS

# fraction of frames with the patient below which infrared is named as a reason [our choice]
LITTLE_FOUND = 0.5
NAMED = 10  # clips to look at first that are named [our choice]


@dataclass
class ExtractSummary:
    """Result of an extraction, in the order of the clips.

    Attributes:
        done: clips that were extracted.
        skipped: clips that were complete already.
        failed: (clip_id, reason).
        short: clips, extracted now, that are shorter than one snippet; they have none, and are not
            assessable where snippets are read.
        without_video: clips that have features of their own and no video.
        found: clip_id -> "body" and "face" -> fraction of the video's frames in which that part of
            the patient was found.
        likely_aspect: clip_id -> pixel aspect ratio that the video most likely has, for clips whose
            header states none.
        infrared: clip_id -> fraction of its frames that were filmed in night infrared, for clips
            that have such frames.
        missing: clip_id -> fraction of its frames that the video lacks, for clips with such frames:
            holes, damaged frames, and what was predicted from these.
        rejected: clip_id -> reason -> fraction of the body's points that were rejected, for clips
            with such points (`semiology.data.limbs`).
        signs: clip_id -> sign -> share of frames, for clips with signs that the tracks are not one
            person's; see `review.py`.
        stream: clip_id -> which video stream was read, "1 of 2, 640x480", for clips whose video
            holds several.
        seen: clip_id -> "pose" and "flow" -> mean fraction of the body's six regions placed by
            the pose, and seen by optical flow alone, see `flow.seen`; where flow was extracted.
    """

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    without_video: list[str] = field(default_factory=list)
    found: dict[str, dict[str, float]] = field(default_factory=dict)
    infrared: dict[str, float] = field(default_factory=dict)
    missing: dict[str, float] = field(default_factory=dict)
    rejected: dict[str, dict[str, float]] = field(default_factory=dict)
    signs: dict[str, dict[str, float]] = field(default_factory=dict)
    stream: dict[str, str] = field(default_factory=dict)
    seen: dict[str, dict[str, float]] = field(default_factory=dict)
    likely_aspect: dict[str, str] = field(default_factory=dict)

    @property
    def nobody(self) -> list[str]:
        """Clips in which no frame shows the patient: their tracks are all NaN."""
        return [clip_id for clip_id, parts in self.found.items() if not any(parts.values())]

    @property
    def look_first(self) -> dict[str, list[str]]:
        """Clips to look at first, those most in doubt first, with the reasons."""
        return look_first(self.found, self.signs)

    def text(self) -> str:
        """A few lines to print."""
        total = len(self.done) + len(self.skipped) + len(self.failed)
        lines = [
            f"{total} clips: {len(self.done)} extracted, {len(self.skipped)} were there already,"
            f" {len(self.failed)} failed"
        ]
        if self.without_video:
            lines.append(
                f"{len(self.without_video)} more clips have features of their own and no video:"
                " nothing was extracted from them"
            )
        for part in PARTS:
            fractions = {
                clip_id: found[part] for clip_id, found in self.found.items() if part in found
            }
            if fractions:
                least = min(fractions, key=lambda clip_id: fractions[clip_id])
                lines.append(
                    f"{part} found in {np.mean(list(fractions.values())):.1%} of frames; least in"
                    f" {least} ({fractions[least]:.1%})"
                )
        if self.seen:
            pose, flow = (
                np.mean([seen[way] for seen in self.seen.values()]) for way in ("pose", "flow")
            )
            least = min(self.seen, key=lambda clip_id: self.seen[clip_id]["pose"])
            lines.append(
                f"movement of head, arms, trunk and legs seen by pose in {pose:.1%} of frames, by"
                f" optical flow alone in {flow:.1%}; least by pose in {least}"
                f" ({self.seen[least]['pose']:.1%})"
            )
        if self.missing:
            most = max(self.missing, key=lambda clip_id: self.missing[clip_id])
            lines.append(
                f"frames are missing or damaged in {len(self.missing)}"
                f" clip{'s' if len(self.missing) > 1 else ''}; most in {most}"
                f" ({self.missing[most]:.1%})"
            )
        if self.rejected:
            totals = {clip_id: sum(shares.values()) for clip_id, shares in self.rejected.items()}
            most = max(totals, key=lambda clip_id: totals[clip_id])
            reasons = sorted(self.rejected[most].items(), key=lambda item: -item[1])
            lines.append(
                f"body points rejected as no body's in {len(totals)}"
                f" clip{'s' if len(totals) > 1 else ''}; most in {most} ({totals[most]:.1%}:"
                f" {', '.join(f'{name} {share:.1%}' for name, share in reasons)})"
            )
        if first := self.look_first:
            more = f", and {len(first) - NAMED} more" if len(first) > NAMED else ""
            lines.append(f"look first at (thresholds are our choice){more}:")
            lines += [
                f"  {clip_id}: {'; '.join(reasons)}"
                for clip_id, reasons in list(first.items())[:NAMED]
            ]
        lines += [
            f"warning: {clip_id}: nobody was found in any frame; its tracks are empty"
            for clip_id in self.nobody
        ]
        lines += [
            f"warning: {clip_id}: {part} found in {found[part]:.1%} of frames;"
            f" {self.infrared[clip_id]:.1%} of its frames are night infrared, in which the default"
            " tracker finds less"
            for clip_id, found in self.found.items()
            for part in found
            if clip_id in self.infrared and found[part] < LITTLE_FOUND
        ]
        lines += [
            f"warning: {clip_id}: shorter than one snippet; it has none and cannot be assessed by"
            " them"
            for clip_id in self.short
        ]
        lines += [
            f"warning: {clip_id}: its header states no pixel aspect ratio; its size is usual for"
            f" pixels of {aspect} (--pixel_aspect {aspect}; 1:1 where they are square)"
            for clip_id, aspect in self.likely_aspect.items()
        ]
        lines += [
            f"warning: {clip_id}: its video holds several video streams; number {stream}, was read"
            for clip_id, stream in self.stream.items()
        ]
        lines += [f"failed: {clip_id}: {message}" for clip_id, message in self.failed]
        return "\n".join(lines)
