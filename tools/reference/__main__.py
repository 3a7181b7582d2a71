"""`python -m tools.reference`: write the pages of `docs/reference` that are made from the code."""

import sys

from tools.reference import write

for path in write():
    sys.stdout.write(f"wrote {path.parent.name}/{path.name}\n")
