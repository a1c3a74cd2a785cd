"""Writes into the storage that the application shares with its workers."""

import os
import time
from pathlib import Path

Path("shared/written.txt").write_text(f"asks {os.environ['CACHE_HOST']}")
time.sleep(1_000_000)
