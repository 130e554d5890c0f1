"""``python -m lrtui`` is ``lrtui``."""

from lrtui.cli.main import main

raise SystemExit(main())
