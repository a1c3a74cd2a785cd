"""`python -m deployd.ssh FOLDER`: the process `deployd-ssh`, as the daemon starts it."""

import sys
from pathlib import Path

from deployd.ssh.process import main

main(Path(sys.argv[1]))
