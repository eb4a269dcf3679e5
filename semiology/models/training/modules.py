"""Lightning modules: a network that learns from labels, and a student that also learns from a
frozen teacher.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR

from semiology.errors import UserError
from semiology.models.networks import Network
from semiology.models.networks.tcn import Standardised
from semiology.models.training.clips import UNSCORED
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.encoder import Start, start_network
from semiology.models.training.reading import Reading
from semiology.models.training.saved import load_model, one_head


class StreamModule(lightning.LightningModule):
    """Train one network on one label, or on several: weighted cross-entropy, AdamW, learning rate
    falling as a cosine to zero.

    Of several labels the network has a head each: its last, linear layer has as many outputs as all
    labels have classes, which are one head after the other. Their loss is that of `mean_loss`.

    [C] trains with SGD (Nesterov, 0.1) on tens of thousands of clips; for tens of clips these are
    our choice.

    Args:
        network: named, built when the data decide its shape.
        learning_rate: at the start.
        weight_decay: of AdamW.
        balance: weight the levels by their inverse frequency among training clips.
        label_smoothing: of the cross-entropy, 0 to 1.
        start: the pretrained encoder that the network starts from; None starts at random.

    Attributes:
        initial: the weights of a trained network of the same sizes to start from, by name; None
            starts as `start` says, or at random.
        precision: "fp32" or "bf16", what it computes in.
        epochs: how many it was trained.
        seconds: that its training took.
    """

    network: Any  # an nn.Module: reads, features, forward_features and head are its own
    class_weights: Tensor
    classes: tuple[int, ...]  # (label,) how many outputs are each label's
    initial: Mapping[str, Tensor] | None = None
    precision = "fp32"
    epochs: int = 0
    seconds: float = 0.0
    by_label: dict[str, tuple["StreamModule", ClipDataModule]]  # see `of_label`

    def __init__(
        self,
        network: Network,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        balance: bool = True,
        label_smoothing: float = 0.0,
        start: Start | None = None,
    ):
        super().__init__()
        self.make_network, self.start = network, start
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.balance, self.label_smoothing = balance, label_smoothing
        self.by_label = {}

    def setup(self, stage: str) -> None:
        """Build the network of the trainer's data; Lightning calls this before each stage."""
        self.build(self.trainer.datamodule, fitting=stage == "fit")  # type: ignore[attr-defined]

    def build(self, data: ClipDataModule, *, fitting: bool) -> None:
        """Build the network for the data at hand, once; then fit on training clips what is fitted
        before training.
        """
        if not hasattr(self, "network"):
            self.network = self.make_network(data.shape)
            check_segments(self.network, self.make_network.stream, data.source.reading)
            if self.start:
                start_network(self.network, self.start, data.source.reading, self.make_network)
                self.train(self.training)
            if self.initial is not None:
                self.network.load_state_dict(self.initial)
                self.initial = None
            self.register_buffer("class_weights", torch.ones(data.shape.classes))
        self.classes = data.source.classes
        data.reads = self.reads
        if fitting and hasattr(self.network, "solve"):
            raise UserError(
                f"{self.make_network.stream}: is fitted at once, not trained in epochs; name it in"
                " a config of `semiology loso`"
            )
        if fitting:
            if self.balance:
                self.class_weights.copy_(data.class_weights())
            for layer in self.network.modules():  # the network, or its encoder of segments
                if isinstance(layer, Standardised) and layer.wants_statistics:
                    layer.standardise(*data.appearance_statistics())

    def train(self, mode: bool = True) -> "StreamModule":
        """Training mode; a frozen encoder stays in eval mode, so that its normalisations measure
        nothing.
        """
        super().train(mode)
        if self.start and self.start.freeze and hasattr(self, "network"):
            self.network.eval()
        return self

    @property
    def reads(self) -> set[str]:
        """The tensors of a batch that training and scoring read, beside target and clip."""
        return set(self.network.reads)

    def of_label(self, data: ClipDataModule, label: str) -> tuple["StreamModule", ClipDataModule]:
        """The trained network with the head of one of several labels, for scoring, and the clips
        that were scored for it; what has no shared layers is there for each label already.

        Raises:
            UserError: the network's head is not of the kind that can be taken apart.
        """
        if len(self.classes) == 1:
            return self, data
        if label in self.by_label:
            return self.by_label[label]
        number = data.source.reading.labels.index(label)
        single = StreamModule(self.make_network)
        single.network, _ = one_head(
            self.network, self.make_network, data.shape, self.classes, number
        )
        single.classes = (self.classes[number],)
        single.epochs, single.seconds = self.epochs, self.seconds
        single.precision = self.precision
        return single, data.of_label(label)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Logits (batch, class) of a batch, whose tensors the network takes by name."""
        return self.network(*(batch[name] for name in self.network.reads))

    def loss(self, logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Cross-entropy, weighted by class, of logits (batch, class) and the batch's targets; of
        several labels `mean_loss`.
        """
        return mean_loss(
            logits, batch["target"], self.classes, self.class_weights, self.label_smoothing
        )

    def teacher_outputs(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The teacher's features and logits of a batch; empty without a teacher."""
        return {}

    def objective(self, batch: dict[str, Tensor]) -> Tensor:
        """The loss that training minimises, of a batch with the teacher's outputs."""
        return self.loss(self(batch), batch)

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """Loss of one batch, with the teacher's outputs if there is a teacher; logged."""
        loss = self.objective(batch | self.teacher_outputs(batch))
        self.log("train_loss", loss, batch_size=len(batch["target"]))
        return loss

    def on_train_epoch_end(self) -> None:
        """Count the epoch, in `epochs`."""
        self.epochs += 1

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        """Log val_loss, without class weights, and val_accuracy of one batch."""
        self._measure("val", batch)

    def test_step(self, batch: dict[str, Tensor], _: int) -> None:
        """Log test_loss, without class weights, and test_accuracy of one batch."""
        self._measure("test", batch)

    def _measure(self, name: str, batch: dict[str, Tensor]) -> None:
        logits, target = self(batch), batch["target"]
        loss = mean_loss(logits, target, self.classes)
        self.log(f"{name}_loss", loss, batch_size=len(target), prog_bar=True)
        called = torch.stack([own.argmax(1) for own in logits.split(self.classes, 1)], 1)
        right = (called == target.view_as(called))[target.view_as(called) != UNSCORED]
        self.log(f"{name}_accuracy", right.float().mean(), batch_size=len(target), prog_bar=True)

    def predict_step(self, batch: dict[str, Tensor], _: int) -> dict[str, Tensor]:
        """Probabilities (batch, class) of one batch, and the number of each window's clip."""
        return {"clip": batch["clip"], "probabilities": probabilities(self(batch), self.classes)}

    def configure_optimizers(self) -> Any:
        """Optimiser and learning rate schedule over what is trained; for Lightning."""
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimiser, schedule = self.optimiser(parameters, max(self.trainer.max_epochs or 1, 1))
        return {"optimizer": optimiser, "lr_scheduler": schedule}

    def optimiser(
        self, parameters: Sequence[Tensor], epochs: int
    ) -> tuple[AdamW, CosineAnnealingLR]:
        """AdamW over these parameters, and its learning rate, which falls once an epoch."""
        optimiser = AdamW(
            parameters, self.learning_rate, weight_decay=self.weight_decay, fused=True
        )
        return optimiser, CosineAnnealingLR(optimiser, epochs)


class DistillationModule(StreamModule):
    """Train a student with a trained, frozen teacher of the same stream beside the labels.

        loss = label_weight * CE + teacher_weight * T^2 * KL(teacher || student) + feature_weight *
        MSE(W student's, teacher's features)

    Hou et al. 2022 state that a trained TCN regularises the AGCN [P], not how; the defaults (1,
    0.5, T = 1) are those of a third-party reimplementation [R]; the feature term is an option of
    ours. Of several labels the divergence is the mean over their heads, also where a label was not
    scored in the clip: there the teacher alone speaks (our choice). The teacher stays in eval mode,
    takes no gradient, and is absent from the student's state_dict and optimiser; at test only the
    student is used [P].

    Args:
        network: the student.
        teacher: folder of a saved model, or a network (from Python).
        temperature: T, at least 1 as a rule: softens both distributions.
        label_weight: of the cross-entropy.
        teacher_weight: of the divergence.
        feature_weight: of the distance between feature vectors.
        learning_rate: as in StreamModule.
        weight_decay: as in StreamModule.
        balance: as in StreamModule.
        label_smoothing: as in StreamModule.
        start: as in StreamModule.
    """

    def __init__(
        self,
        network: Network,
        teacher: str | Path | nn.Module,
        temperature: float = 1.0,
        label_weight: float = 1.0,
        teacher_weight: float = 0.5,
        feature_weight: float = 0.0,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        balance: bool = True,
        label_smoothing: float = 0.0,
        start: Start | None = None,
    ):
        super().__init__(network, learning_rate, weight_decay, balance, label_smoothing, start)
        frozen = teacher if isinstance(teacher, nn.Module) else load_model(teacher).network
        self._teacher = [
            frozen.eval().requires_grad_(False)
        ]  # in a list, so that it is no submodule
        self.temperature = temperature
        self.label_weight, self.teacher_weight, self.feature_weight = (
            label_weight,
            teacher_weight,
            feature_weight,
        )

    @property
    def teacher(self) -> Any:
        """The frozen network that is learned from; no submodule of the student."""
        return self._teacher[0]

    @property
    def reads(self) -> set[str]:
        """The tensors of a batch that student and teacher read."""
        return {*super().reads, *self.teacher.reads}

    def build(self, data: ClipDataModule, *, fitting: bool) -> None:
        """Build the student, as StreamModule, and the map between the two feature spaces if their
        distance counts.

        Raises:
            UserError: teacher and reading do not agree on segments.
        """
        super().build(data, fitting=fitting)
        check_segments(self.teacher, "the teacher", data.source.reading)
        self._teacher[0] = self.teacher.to(self.device)
        if self.feature_weight > 0 and not hasattr(self, "match"):
            self.match = nn.Linear(self.network.features, self.teacher.features)

    def on_fit_start(self) -> None:
        """Move the teacher, which Lightning does not know, to the student's device."""
        self._teacher[0] = self.teacher.to(self.device)

    def on_fit_end(self) -> None:
        """Move the teacher back to the CPU, where its own module, which is still to score, is
        again.
        """
        self._teacher[0] = (
            self.teacher.cpu()
        )  # beside its own module, which Lightning took from the GPU, and which is still to score

    def teacher_outputs(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """teacher_features (batch, feature) and teacher_logits (batch, class)."""
        with torch.no_grad():
            features = self.teacher.forward_features(*(batch[name] for name in self.teacher.reads))
            return {"teacher_features": features, "teacher_logits": self.teacher.head(features)}

    def objective(self, batch: dict[str, Tensor]) -> Tensor:
        """The weighted sum of cross-entropy, divergence and feature distance; see the class."""
        features = self.network.forward_features(*(batch[name] for name in self.network.reads))
        logits = self.network.head(features)
        loss = self.label_weight * self.loss(logits, batch)
        divergences = [
            distillation_loss(ours, theirs, self.temperature)
            for ours, theirs in zip(
                logits.split(self.classes, 1), batch["teacher_logits"].split(self.classes, 1)
            )
        ]
        loss = loss + self.teacher_weight * sum(divergences) / len(divergences)
        if self.feature_weight > 0:
            loss = loss + self.feature_weight * F.mse_loss(
                self.match(features), batch["teacher_features"]
            )
        return loss


def check_segments(network: nn.Module, name: str, reading: Reading) -> None:
    """Check that network and reading agree on segments.

    Raises:
        UserError: one has them and the other has not.
    """
    if hasattr(network, "over_segments") and not reading.segments:
        raise UserError(
            f"{name}: reads segments, and the reading makes none; set reading.segments to how many"
        )
    if reading.segments and not hasattr(network, "over_segments"):
        raise UserError(
            f"{name}: reads one window, and the reading makes {reading.segments} segments; make it"
            " the encoder of the network `segments`, or set reading.segments to 0"
        )


def mean_loss(
    logits: Tensor,
    targets: Tensor,
    classes: Sequence[int],
    weights: Tensor | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of logits (batch, class) of one label or of several; the mean over the batch,
    as PyTorch weights it.

        sum_i mean_l w_l[y_il] CE_il / sum_i mean_l w_l[y_il],   l over the labels scored in clip i

    so that every clip counts the same, for however many labels it was scored (our choice).

    Args:
        logits: (batch, class), one head after the other.
        targets: (batch,) of one label, (batch, label) of several; `UNSCORED` where one was not.
        classes: how many outputs each head has.
        weights: (class,) of the classes; None for 1.
        smoothing: of the labels, 0 to 1.
    """
    if len(classes) == 1:
        return F.cross_entropy(logits, targets, weights, label_smoothing=smoothing)
    weights = logits.new_ones(sum(classes)) if weights is None else weights
    losses, counts = [], []  # a label each, (batch,)
    heads = zip(logits.split(list(classes), 1), targets.T, weights.split(list(classes)))
    for own, target, of_class in heads:
        losses.append(
            F.cross_entropy(
                own, target, of_class, None, UNSCORED, None, "none", label_smoothing=smoothing
            )
        )
        counts.append(of_class[target.clamp(min=0)] * (target != UNSCORED))
    share = 1 / (targets != UNSCORED).sum(1)
    return (sum(losses) * share).sum() / (sum(counts) * share).sum()


def probabilities(logits: Tensor, classes: Sequence[int]) -> Tensor:
    """Softmax of logits (batch, class) over the classes of each label."""
    return torch.cat([own.softmax(1) for own in logits.split(list(classes), 1)], 1)


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student), mean over the batch, of logits (batch, class) softened by T
    (Hinton et al. 2015).

    T^2 keeps the size of the gradient when T changes.
    """
    ours, target = F.log_softmax(student / temperature, 1), F.log_softmax(teacher / temperature, 1)
    return temperature**2 * (target.exp() * (target - ours)).sum(dim=1).mean()
