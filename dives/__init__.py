"""A recorded dive: its frames classified, joined to sightings, written in the formats people use."""
