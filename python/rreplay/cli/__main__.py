"""`python -m rreplay.cli` is the command `rreplay`."""

import sys

from .entry import main

sys.exit(main())
