"""Numbers of ITU-T H.273 that pictures for HDR screens have."""

PQ, HLG = 16, 18
#: Names by transfer characteristics.
HDR = {PQ: "PQ", HLG: "HLG"}
