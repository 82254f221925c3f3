"""The only package that knows which adapter stands behind which name.

Every import of an adapter is inside the function that needs it, so that a command pays for what it uses only.
"""
