"""A page's Markdown: what of it is content, what is noise, what changed.

Parsing is in `html`, cutting in `chunks`.
"""
