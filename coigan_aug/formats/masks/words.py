"""What names of files and folders say: which image a mask is of, a class, a number, a share, free of defects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

SINGLE = "defect"
"""The class where no folder and no name gives one."""
MASKS_ONLY = (".gif", ".mat")
"""Endings that masks may have and images may not."""
SHARE = "train(?:ing)?|val(?:id)?(?:ation)?|test(?:ing)?|dev|eval(?:uation)?|t[rs]"
_MASK = (
    "masks?|gts?|ground[ _-]?truths?|labels?|lab|lbl|ann(?:o|ot|otations?)?|seg(?:mentations?|mentationclass(?:png)?)?|targets?"
    "|mattes?"
)
_IMAGE = "images?|imgs?|jpegimages|photos?|pictures?|originals?|orig|inputs?|rgb|raw|source"
_GAP = "[ _.-]?"
_SHARES = re.compile(
    rf"(?:{SHARE}|public|private){_GAP}(?:crop|data|dataset|set|split|public|private|mixed|hq|{_IMAGE})*"
)
_MASK_FOLDER = re.compile(rf"(?P<before>.*?)(?P<gap>{_GAP})(?:{_MASK})(?:{_GAP}dir)?(?P<after>(?:{_GAP}(?:{SHARE}))?)")
_IMAGE_FOLDER = re.compile(
    rf"(?P<before>.*?)(?P<gap>{_GAP})(?:{_IMAGE})(?:{_GAP}dir)?(?P<after>(?:{_GAP}(?:{SHARE}))?)"
)
_MASK_END = re.compile(rf"(?P<rest>.+?)(?:[ _.-]+(?:cp[ _-])?|(?<=[0-9]))(?:{_MASK}|bw|bin(?:ary)?)")
_MASK_BEGIN = re.compile(rf"(?:{_MASK})[ _.-]+(?P<rest>.+)")
_IMAGE_END = re.compile(rf"(?P<rest>.+?)[ _.-]+(?:{_IMAGE})")
_IMAGE_BEGIN = re.compile(rf"(?:{_IMAGE}|im)[ _.-]+(?P<rest>.+)")
_ONLY_MASK, _ONLY_IMAGE = re.compile(_MASK), re.compile(_IMAGE)
_SUFFIX = re.compile(r"\.(?:jpe?g|png|bmp|tiff?|webp|gif|mat)$")
_NUMBERED = re.compile(r"(?P<word>.*?)[ _.-]*[0-9]+")
_KINDS = re.compile(r"(?:class|cls|type|kind|defects?|faults?|flaws?|damage|cat(?:egory)?|label|k|c)")
_SETS = frozenset({"data", "dataset", "all", "samples", "patches", "crops", "tiles"})
_PLAIN = frozenset({"", "mask", "masks", "gt", "label", "instance", "object"})
FREE = re.compile(
    r"(.*[^a-z])?(good|ok|okay|normal|free|clean|perfect|pass|healthy|intact|negative|none|background|io"
    r"|(no|non|without|un)[^a-z]?(defects?|defective|anomal(y|ies|ous)|cracks?|cracked|damaged?|faults?))([^a-z].*)?"
)
"""The name of a folder, in lower case, whose images are free of defects."""


def is_share(name: str) -> bool:
    """Tell whether a folder's name is that of a share (train, val, traincrop), not of a class."""
    return _SHARES.fullmatch(name.lower()) is not None


def is_free(name: str) -> bool:
    """Tell whether a folder's name says that its images are free of defects."""
    return FREE.fullmatch(name.lower()) is not None


def class_of(folders: list[str]) -> str:
    """Return the word for a class that a file's folders give: the first that is no share, role, part or set; else SINGLE.

    A part is what is numbered and not called a class: `kos01`, `12`.

    >>> class_of(["train", "Crack"]), class_of(["kos01"]), class_of(["class2"]), class_of(["MT_Pit", "Imgs"])
    ('Crack', 'defect', 'class2', 'MT_Pit')
    """
    plain = (name for name in folders if not is_share(name) and not role_of(name)[0] and not _is_part(name))
    return next((name for name in plain if name.lower() not in _SETS), SINGLE)


def _is_part(name: str) -> bool:
    numbered = _NUMBERED.fullmatch(name.lower())
    return numbered is not None and not _KINDS.fullmatch(numbered["word"])


@lru_cache(maxsize=4096)
def role_of(name: str) -> tuple[str, str]:
    """Return what a folder's name says it holds ("masks", "images", ""), and what is left of the name without that word.

    >>> role_of("train_lab"), role_of("imagesTr"), role_of("Source Images"), role_of("pit")
    (('masks', 'train'), ('images', 'tr'), ('images', ''), ('', 'pit'))
    """
    plain = name.lower()
    for role, pattern in (("masks", _MASK_FOLDER), ("images", _IMAGE_FOLDER)):
        match = pattern.fullmatch(plain)
        if match is not None and (match["gap"] or not match["before"] or is_share(match["before"])):
            rest = (match["before"] + match["after"]).strip(" _.-")
            again, less = role_of(rest) if rest else ("", "")
            return role, less if again == role else rest
    return "", plain


def stem_of(path: str) -> str:
    """Return a path without its suffix.

    >>> stem_of("a/p.v1.0.jpg"), stem_of("a.b/c")
    ('a/p.v1.0', 'a.b/c')
    """
    folder, _, name = path.rpartition("/")
    name = name.rpartition(".")[0] or name
    return f"{folder}/{name}" if folder else name


def mask_spellings(stem: str) -> Iterator[str]:
    """Yield how an image may be called, given its mask's path without the suffix: all in lower case, the likeliest first.

    Of `1/mask.png` and `1/image.png` nothing is left but the folder.

    >>> list(mask_spellings("a/X_GT")), list(mask_spellings("mask_001")), list(mask_spellings("q.jpg"))
    (['a/x_gt', 'a/x'], ['mask_001', '001'], ['q.jpg', 'q'])
    """
    folder, slash, name = stem.lower().rpartition("/")
    spellings = [name, *([""] if _ONLY_MASK.fullmatch(name) else [])]
    for known in spellings:
        for pattern in (_MASK_END, _MASK_BEGIN):
            match = pattern.fullmatch(known)
            spellings += [match["rest"]] if match is not None and match["rest"] not in spellings else []
        bare = _SUFFIX.sub("", known)
        spellings += [bare] if bare and bare not in spellings else []
    yield from (f"{folder}{slash}{known}" for known in spellings)


def image_spelling(stem: str) -> str:
    """Return an image's path without its suffix, in lower case, and without the words for an image round its name.

    >>> image_spelling("a/img_001"), image_spelling("a/x_rgb"), image_spelling("1/image")
    ('a/001', 'a/x', '1/')
    """
    folder, slash, name = stem.lower().rpartition("/")
    if _ONLY_IMAGE.fullmatch(name):
        return folder + slash
    for pattern in (_IMAGE_BEGIN, _IMAGE_END):
        match = pattern.fullmatch(name)
        name = match["rest"] if match is not None else name
    return f"{folder}{slash}{name}"


def says_mask(stem: str) -> bool:
    """Tell whether a file's name has a word for a mask at its end or beginning."""
    name = stem.lower().rpartition("/")[2]
    return (
        _ONLY_MASK.fullmatch(name) is not None
        or _MASK_END.fullmatch(name) is not None
        or _MASK_BEGIN.fullmatch(name) is not None
    )


def cuts(name: str) -> Iterator[tuple[str, str]]:
    """Yield a path's beginnings and endings round each `_` and `-` of its last part, the longest beginning first."""
    first = name.rfind("/") + 1
    for k in range(len(name) - 1, first, -1):
        if name[k] in "_-":
            yield name[:k], name[k + 1 :]


def word_and_number(ending: str) -> tuple[str, str]:
    """Part a name's ending into the word for a class and a number; "" for what it does not say.

    >>> word_and_number("pit_3"), word_and_number("mask3"), word_and_number("big_dent")
    (('pit', '3'), ('', '3'), ('big_dent', ''))
    """
    match = re.fullmatch(r"(?:(.*)[_-]|(mask|gt|label|instance|object))?([0-9]+)", ending, re.IGNORECASE)
    word, number = (match[1] or "", match[3]) if match else (ending, "")
    return ("" if word.lower() in _PLAIN else word), number
