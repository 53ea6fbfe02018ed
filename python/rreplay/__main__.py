"""`python -m rreplay` is the command `rreplay`."""

import sys

from .cli import main

sys.exit(main())
