"""Slims in a process of its own that kills itself at a given moment, as a power cut would.

python dying_slim.py OPTIONS.json TASK STEPS [TASK STEPS ...]      as ``dying`` has it
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from dying import asked, die_at_each

from training.slim import slim
from training.slim_options import SlimOptions

if __name__ == "__main__":
    given = asked()
    options = SlimOptions.from_dict(given.options)
    die_at_each(given.moments, lambda fatal: slim(options, fatal, resume=True))
