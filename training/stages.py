"""In which order the network learns: the head, then block5 with it, then block4 with both … as far as is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from training.options import UNFREEZE, TrainOptions

HEAD = "head"


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a training.

    name: "head", or the first block that learns; everything behind it learns, too. begins: the epochs planned before
    it. epochs: those planned for it. rate: the learning rate it begins with.
    """

    name: str
    begins: int
    epochs: int
    rate: float

    @property
    def unfreeze(self) -> str:
        """What ``training.model.layer_before`` takes."""
        return "none" if self.name == HEAD else self.name


def plan(options: TrainOptions) -> tuple[Stage, ...]:
    """The stages of a run, the head first; the others share ``options.epochs``, the earlier ones getting what is over.

    With fewer epochs than blocks the blocks furthest from the head are left alone.
    """
    stages = [Stage(HEAD, 0, options.head_epochs, options.learning_rate)]
    blocks = UNFREEZE[1 : UNFREEZE.index(options.unfreeze) + 1][: options.epochs]
    for i, block in enumerate(blocks):
        epochs = options.epochs // len(blocks) + (i < options.epochs % len(blocks))
        stages.append(Stage(block, stages[-1].begins + stages[-1].epochs, epochs, options.fine_tune_rate))
    return tuple(stages)
