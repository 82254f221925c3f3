"""The embedded world: a small discrete-time simulation of services under load, with its own clock.

`scenario` is the file format, `world` the dynamics, `backend` the ports. Evidence follows from state, never from a
script: the same seed and the same actions give the same bytes.
"""
