"""Identify a file that cannot be read as an image, by its first bytes. HEIC needs pillow-heif."""

import re
from pathlib import Path

CONVERT = "save it as JPEG or PNG"
try:
    from pillow_heif import register_heif_opener
except ImportError:
    HEIC = "a HEIC photo, as phones take them; save it as JPEG, or pip install pillow-heif, which reads it"
else:
    HEIC = "a damaged HEIC photo; fetch it again"
    register_heif_opener()
FILE_TYPES = {  # the first bytes, and what to do
    rb"....ftyp(hei|hev|mif1|msf1)": HEIC,
    rb"....ftypavi[fs]": f"an AVIF image, which this Pillow does not read; {CONVERT}",
    rb"....ftypcrx |II\*\0....CR|IIU\0|IIR[OS]|FUJIFILMCCD-RAW": f"a camera's RAW file; {CONVERT}",
    rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI |\0\0\x01[\xba\xb3]": "a video; save pictures of it as JPEG or PNG",
    rb"\xff\x0a|\0\0\0\x0cJXL ": f"a JPEG XL image; {CONVERT}",
    rb"%PDF": f"a PDF; {CONVERT}",
    rb"(?i)\s*(<\?xml.*|<!--.*)?<(!doctype )?svg": f"an SVG drawing; {CONVERT}",
    rb"%!PS|\xc5\xd0\xd3\xc6": f"a PostScript drawing; {CONVERT}",
    rb"8BPS": f"a Photoshop document; {CONVERT}",
    rb".{128}DICM": f"a DICOM image; {CONVERT}",
    rb"\0\0[\x01\x02]\0|icns": f"an icon; {CONVERT}",
    rb"(?i)\s*(<\?xml.*|<!--.*)?<(!doctype )?html": "a web page, as a failed download leaves; fetch it again",
    rb"version https://git-lfs": "a pointer of Git LFS; fetch the file by git lfs pull",
    rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!": "a packed archive; unpack it",
    rb"\xff\xd8|\x89PNG|GIF8|BM|RIFF....WEBP|II\*\0|MM\0\*": "a damaged image; save or fetch it again",
}


def describe_file(path: Path) -> str:
    """What an unreadable file is, and what to do about it."""
    with open(path, "rb") as file:
        head = file.read(1024)
    if not head:
        return "the file is empty"
    types = (text for magic, text in FILE_TYPES.items() if re.match(magic, head, re.DOTALL))
    return next(types, "not an image; give a file such as a JPEG or PNG")
