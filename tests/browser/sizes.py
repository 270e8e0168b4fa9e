"""At which size a path is walked, where both would show the same; and through which PG.

On a desktop every payment window opens over the page and calls back; on a phone Kakao Pay's takes the page's place and
redirects. So the two PGs at one size each walk both ways.
"""

from __future__ import annotations

import pytest

ON_A_PHONE = pytest.mark.parametrize("visitor", ["phone"], indirect=True)
ON_A_DESKTOP = pytest.mark.parametrize("visitor", ["desktop"], indirect=True)
PGS = pytest.mark.parametrize("pg", ["kakaopay", "payco"])
BOTH_WAYS = pytest.mark.parametrize(
    ("visitor", "pg"), [("phone", "kakaopay"), ("desktop", "payco")], indirect=["visitor"]
)
