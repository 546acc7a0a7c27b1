"""Every error that a user of Reeflens can meet.

ReeflensError           one sentence for the user; the command exits with 1
├── ContractError       the model file breaks its promise; names the field
├── ProviderError       the hardware that was asked for does not run
├── EngineError         a model that was loaded fails on frames; names it and the reason
├── SourceError         a video, camera or folder cannot be read; names it and the reason
│   └── CameraError     a camera gives no picture now; its cause says what may help
├── DataError           photographs cannot be learnt from; gives the counts
├── WeightsError        starting weights cannot be had or do not fit
├── ExportError         the exported graph does not agree with the trained model
├── ResultsError        results cannot be written or continued
├── LibraryError        a library of dives cannot be opened, or something in it cannot be read
├── DiveLogError        a dive log cannot be read, or is of another time
├── SettingsError       a setting is unknown or contradictory
└── HungError           a part of the program hangs and only a new process helps
"""

from enum import StrEnum


class ReeflensError(Exception):
    """Base of all errors with a message meant for the user: what was expected, what was found, what to try."""


class ContractError(ReeflensError):
    """A model file has no contract, one of another schema, or one that contradicts the graph."""


class ProviderError(ReeflensError):
    """The execution provider that was asked for does not run on this machine."""


class EngineError(ReeflensError):
    """A model that was loaded fails on frames that it was given; others may run."""


class Cause(StrEnum):
    """Why a source gives no picture. What each means for its owner is in docs/cameras.md."""

    REFUSED = "refused"  # the machine is there, nothing listens on the port
    UNREACHABLE = "unreachable"  # no such machine, or no way to it
    TIMEOUT = "timeout"  # it does not answer in time
    UNAUTHORISED = "unauthorised"  # it wants another user name or password, or the system denies the device or file
    NOT_FOUND = "not-found"  # it answers, and has no stream, or no device, of this name
    UNAVAILABLE = "unavailable"  # it answers that it cannot now: an error of its own, or in use by another program
    NOT_VIDEO = "not-video"  # it sends something that cannot be decoded
    SILENT = "silent"  # connected, and no frame comes
    ENDED = "ended"  # it ended the stream
    GONE = "gone"  # the connection broke
    CUT_OFF = "cut-off"  # a file breaks off before its end
    NO_PICTURES = "no-pictures"  # a folder has none that can be read
    ENGINE = "engine"  # its frames come, and the model hangs or fails


class SourceError(ReeflensError):
    """A source of frames cannot be opened or breaks; ``name`` says which, ``reason`` why, ``cause`` so in one word."""

    def __init__(self, name: str, reason: str, cause: Cause | None = None) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason
        self.cause = cause


class CameraError(SourceError):
    """A camera cannot be opened or is lost; trying again later may help."""

    cause: Cause

    def __init__(self, name: str, cause: Cause, reason: str) -> None:
        super().__init__(name, reason, cause)


class DataError(ReeflensError):
    """A tree of photographs is empty, too small or contradicts itself."""


class WeightsError(ReeflensError):
    """The starting weights cannot be downloaded, read or fitted to the network."""


class ExportError(ReeflensError):
    """The exported graph is invalid or differs from the trained model by more than the tolerance."""


class ResultsError(ReeflensError):
    """Results cannot be written, or earlier ones cannot be continued with these options."""


class LibraryError(ReeflensError):
    """A library of dives cannot be opened, is in use, or holds something that cannot be read."""


class DiveLogError(ReeflensError):
    """A dive computer's log cannot be read, or none of its dives overlaps the recording."""


class SettingsError(ReeflensError):
    """A setting is unknown, of the wrong kind, or contradicts another."""


class HungError(ReeflensError):
    """A part of the program hangs, and nothing within the process can help it."""
