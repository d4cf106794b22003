"""The fleet: many emulated BMCs behind one server, all answered by the real sushy-tools.

The core (:mod:`emulator.bmc.fleet`) is synchronous and knows neither sockets nor threads. A live
server (:mod:`emulator.bmc.server`) and a transport for virtual time
(:mod:`emulator.bmc.inprocess`) drive the same core.
"""
