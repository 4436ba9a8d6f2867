"""The terminal: lines that scroll, a region that is redrawn, and the view of a running study."""
