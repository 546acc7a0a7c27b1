"""One file per output format of a processed dive."""
