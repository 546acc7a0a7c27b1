"""Photographs in, run folder out: fine-tunes VGG16 and measures what came of it."""
