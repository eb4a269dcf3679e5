"""semiology train fit|validate|test|predict --config FILE: the Lightning command line."""

import sys

from lightning.pytorch.cli import LightningCLI

from semiology.learning.data import ClipDataModule
from semiology.learning.modules import StreamModule


def run(arguments: list[str]) -> int:
    """StreamModule or DistillationModule on one split of one cohort; the trainer's options are Lightning's own."""
    sys.argv[0] = "semiology train"
    LightningCLI(
        StreamModule,
        ClipDataModule,
        args=arguments or ["--help"],
        subclass_mode_model=True,
        seed_everything_default=0,
        save_config_kwargs={"overwrite": True},
    )
    return 0
