"""Every error that a user of Reeflens can meet.

ReeflensError           one sentence for the user; the command exits with 1
├── ContractError       the model file breaks its promise; names the field
├── ProviderError       the hardware that was asked for does not run
├── SourceError         a video, camera or folder cannot be read; names it and the reason
├── DataError           photographs cannot be learnt from; gives the counts
├── WeightsError        starting weights cannot be had or do not fit
├── ExportError         the exported graph does not agree with the trained model
├── ResultsError        results cannot be written or continued
└── SettingsError       a setting is unknown or contradictory
"""


class ReeflensError(Exception):
    """Base of all errors with a message meant for the user: what was expected, what was found, what to try."""


class ContractError(ReeflensError):
    """A model file has no contract, one of another schema, or one that contradicts the graph."""


class ProviderError(ReeflensError):
    """The execution provider that was asked for does not run on this machine."""


class SourceError(ReeflensError):
    """A source of frames cannot be opened or breaks; ``name`` says which, ``reason`` why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class DataError(ReeflensError):
    """A tree of photographs is empty, too small or contradicts itself."""


class WeightsError(ReeflensError):
    """The starting weights cannot be downloaded, read or fitted to the network."""


class ExportError(ReeflensError):
    """The exported graph is invalid or differs from the trained model by more than the tolerance."""


class ResultsError(ReeflensError):
    """Results cannot be written, or earlier ones cannot be continued with these options."""


class SettingsError(ReeflensError):
    """A setting is unknown, of the wrong kind, or contradicts another."""
