"""``python -m beskar7``: the ``beskar7`` command."""

import sys

from beskar7.cli import main

sys.exit(main())
