"""Frames in, results out: everything that runs a Reeflens model on pictures, live or recorded."""
