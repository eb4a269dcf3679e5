"""semiology train fit|validate|test|predict --config FILE: the Lightning command line."""

import sys
from importlib.metadata import version
from pathlib import Path

from lightning.pytorch.cli import LightningCLI

from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import StreamModule
from semiology.models.training.saved import SavedModel
from semiology.models.training.trainer import precision_of, score, settle_norms


def run(arguments: list[str]) -> int:
    """StreamModule or DistillationModule on one split of one cohort; the trainer's options are
    Lightning's own.

    `fit` also saves the trained network as a model folder, which a teacher and `semiology predict`
    read; `predict` prints the held-out clips' probabilities.
    """
    sys.argv = ["semiology train"]  # LightningCLI looks at it, too
    line = LightningCLI(
        StreamModule,
        ClipDataModule,
        args=arguments or ["--help"],
        subclass_mode_model=True,
        seed_everything_default=0,
        save_config_kwargs={"overwrite": True},
    )
    module, data = line.model, line.datamodule
    module.precision = precision_of(line.trainer)
    if line.subcommand == "fit":
        settle_norms(module, data)
        folder = Path(line.trainer.log_dir or line.trainer.default_root_dir) / "model"
        about = {
            "label": data.source.reading.label,
            "training": sorted({clip.participant_id for clip in data.training}),
            "validation": sorted({clip.participant_id for clip in data.validation}),
            "seconds": data.source.window_seconds,
            "software": f"semiology {version('semiology')}",
        }
        SavedModel(
            module.network,
            module.make_network,
            data.source.reading,
            data.source.levels,
            data.shape,
            about,
        ).save(folder)
        print(f"model: {folder}")
    if line.subcommand == "predict":
        clip_ids, probabilities = score(module, data, data.held_out or data.source.clips)
        print("\t".join(["clip_id", *data.source.levels]))
        for clip_id, row in zip(clip_ids, probabilities):
            print("\t".join([clip_id, *(f"{value:.4f}" for value in row)]))
    return 0
