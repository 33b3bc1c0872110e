"""Recipes of people: a file runs in a sandbox of its own, and the job speaks with it over a socket.

``wire`` is what both ends say, ``host`` the end of the job, ``__main__`` the end in the sandbox.
"""
