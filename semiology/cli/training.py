"""Verbs that train one network: pretrain, train."""

import sys
from pathlib import Path

from semiology.cli import Command, act, description, options, parser


def run_pretrain(arguments: list[str]) -> int:
    """Train the network that reads faces, bodies or snippets, on images or clips that you
    labelled.
    """
    return act("pretrain", run_pretrain, PRETRAIN_ACTIONS, arguments)


def run_pretrain_expression(arguments: list[str]) -> int:
    """Train a VGG-19 on face crops at 48 px, in the form of FER networks."""
    return _pretrain_images("expression", run_pretrain_expression, arguments)


def run_pretrain_posture(arguments: list[str]) -> int:
    """Train a VGG-19 on body crops, in torchvision's form."""
    return _pretrain_images("posture", run_pretrain_posture, arguments)


def run_pretrain_action(arguments: list[str]) -> int:
    """Train a small R(2+1)D on snippets of video."""
    from semiology.models.pretraining import pretrain_action as pretrain

    action_parser = parser("pretrain action", run_pretrain_action)
    action_parser.add_argument(
        "clips",
        type=Path,
        help="a folder of class folders of videos, or of train/ and test/ with class folders",
    )
    action_parser.add_function_arguments(pretrain, skip={"clips"})
    result = pretrain(**options(action_parser.parse_args(arguments)))
    print(result.text())
    return 1 if result.failed else 0


PRETRAIN_ACTIONS = {
    "expression": run_pretrain_expression,
    "posture": run_pretrain_posture,
    "action": run_pretrain_action,
}


def run_train(arguments: list[str]) -> int:
    """Train one stream on one split by the Lightning command line. The model is StreamModule or
    DistillationModule; the trainer's options are Lightning's own. `fit` also saves the trained
    network as a model folder, which a teacher and `semiology predict` read; `predict` prints the
    held-out clips' probabilities.
    """
    from importlib.metadata import version

    from lightning.pytorch.cli import LightningCLI

    from semiology.models.training.datamodule import ClipDataModule
    from semiology.models.training.modules import StreamModule
    from semiology.models.training.saved import SavedModel
    from semiology.models.training.trainer import precision_of, score, settle_norms

    sys.argv = ["semiology train"]  # LightningCLI reads it, too
    line = LightningCLI(
        StreamModule,
        ClipDataModule,
        args=arguments or ["--help"],
        subclass_mode_model=True,
        seed_everything_default=0,
        parser_kwargs={"description": description(run_train)},
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


TRAIN_ACTIONS = ("fit", "validate", "test", "predict")  # the subcommands of LightningCLI


def _pretrain_images(kind: str, command: Command, arguments: list[str]) -> int:
    from semiology.models.pretraining import pretrain

    images_parser = parser(f"pretrain {kind}", command)
    images_parser.add_argument(
        "images", type=Path, help="a folder of class folders, or a CSV in FER-2013's form"
    )
    images_parser.add_function_arguments(pretrain, skip={"kind", "images"})
    result = pretrain(kind, **options(images_parser.parse_args(arguments)))
    print(result.text())
    return 1 if result.failed else 0
