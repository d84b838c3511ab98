"""What the report looks like: HTML, Markdown, tables and style."""
