"""Slims in a process of its own that kills itself at a given moment, as a power cut would.

python dying_slim.py OPTIONS.json TASK STEPS      killed while the task TASK is STEPS steps far
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from dying import Fatal

from training.slim import slim
from training.slim_options import SlimOptions

if __name__ == "__main__":
    options = SlimOptions.from_dict(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    slim(options, Fatal(sys.argv[2], int(sys.argv[3])), resume=True)
