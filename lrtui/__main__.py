"""``python -m lrtui`` is ``lrtui``."""

from lrtui.cli import main

raise SystemExit(main())
