"""Scientific names of common classes, so that results can be exchanged with biologists' tools."""

from __future__ import annotations

from collections.abc import Iterable

from realtime.labels import label_key

# As narrow as the photographs of such a class usually allow, no narrower: Seal also holds sea lions.
_TAXA = {
    "clams": "Bivalvia",
    "corals": "Anthozoa",
    "crabs": "Brachyura",
    "dolphin": "Delphinidae",
    "eel": "Anguilliformes",
    "fish": "Actinopterygii",
    "jellyfish": "Medusozoa",
    "lobster": "Decapoda",
    "nudibranchs": "Nudibranchia",
    "octopus": "Octopoda",
    "otter": "Lutrinae",
    "penguin": "Spheniscidae",
    "puffers": "Tetraodontidae",
    "searays": "Batoidea",
    "seaurchins": "Echinoidea",
    "seahorse": "Hippocampus",
    "seal": "Pinnipedia",
    "sharks": "Selachii",
    "shrimp": "Caridea",
    "squid": "Decapodiformes",
    "starfish": "Asteroidea",
    "turtletortoise": "Testudines",
    "whale": "Cetacea",
}


def taxonomy_of(labels: Iterable[str]) -> dict[str, str]:
    """Label -> scientific name, for those of ``labels`` that are known under any spelling."""
    return {label: _TAXA[key] for label in labels if (key := label_key(label)) in _TAXA}
