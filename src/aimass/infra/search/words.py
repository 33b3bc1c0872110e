"""Cut text into words: letters and digits as they come, Chinese, Japanese and Korean by overlapping pairs."""

from __future__ import annotations

import re
import unicodedata

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_PIECES = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_IS_CJK = re.compile(rf"[{_CJK}]")


def words_of(text: str, *, for_query: bool = False) -> list[str]:
    """Return the words of a text, folded to lower case without accents.

    Parameters
    ----------
    text
        Any text.
    for_query
        A single CJK sign is then left alone, to be used as a prefix; pairs cover everything longer.

    Examples
    --------
    >>> words_of("Telco-Churn v2")
    ['telco', 'churn', 'v2']
    >>> words_of("客户流失")
    ['客户', '户流', '流失', '失']
    """
    folded = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    words: list[str] = []
    for piece in _PIECES.findall(unicodedata.normalize("NFC", folded)):
        if not _IS_CJK.match(piece) or len(piece) == 1:
            words.append(piece)
        else:
            words += [piece[i : i + 2] for i in range(len(piece) - 1)]
            words += [] if for_query else [piece[-1]]
    return words
