"""Tables of pages as text: Markdown, and what a domain repeats on its pages."""
