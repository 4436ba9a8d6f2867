"""A page on this machine where one draws a digit and watches a network make up its mind.

The network computes here, in Python; the page (``page/``) draws and shows, and fetches nothing
from anywhere else.
"""
