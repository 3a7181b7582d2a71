"""How the documentation is built: `make docs`. Nothing is fetched, neither then nor when read."""

from importlib.metadata import version as installed_version

project = "omni_pipeline"
author = "The omni_pipeline authors"
copyright = author
version = release = installed_version("omni_pipeline")

extensions = ["myst_parser"]
myst_heading_anchors = 4
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = "omni_pipeline"
html_copy_source = False
html_show_sphinx = False
