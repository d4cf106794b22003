"""What the kinds of fault do to a BMC: a function for each name in :mod:`emulator.faultkinds`.

``plans`` has those drawn for a request, ``answers`` what becomes of an answer, ``boots`` and
``spans`` what befalls the machine. Kinds about connections need no function: a transport knows
them by name.
"""
