"""What a file that is read as no image is, told by its first bytes. HEIC photos are read where pillow-heif is."""

import re
from pathlib import Path

JPEG = "save it as JPEG or PNG"
try:
    from pillow_heif import register_heif_opener
except ImportError:
    HEIC = "a HEIC photo, as phones take them; save it as JPEG, or pip install pillow-heif, which reads it"
else:
    HEIC = "a damaged HEIC photo; fetch it anew"
    register_heif_opener()
KINDS = {
    rb"....ftyp(hei|hev|mif1|msf1)": HEIC,
    rb"....ftypavi[fs]": f"an AVIF image, which this Pillow does not read; {JPEG}",
    rb"....ftypcrx |II\*\0....CR|IIU\0|IIR[OS]|FUJIFILMCCD-RAW": f"a camera's RAW file; {JPEG}",
    rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI |\0\0\x01[\xba\xb3]": "a video; save pictures of it as JPEG or PNG",
    rb"\xff\x0a|\0\0\0\x0cJXL ": f"a JPEG XL image; {JPEG}",
    rb"%PDF": f"a PDF; {JPEG}",
    rb"(?i)\s*(<\?xml.*|<!--.*)?<(!doctype )?svg": f"an SVG drawing; {JPEG}",
    rb"%!PS|\xc5\xd0\xd3\xc6": f"a PostScript drawing; {JPEG}",
    rb"8BPS": f"a Photoshop document; {JPEG}",
    rb".{128}DICM": f"a DICOM image; {JPEG}",
    rb"\0\0[\x01\x02]\0|icns": f"an icon; {JPEG}",
    rb"(?i)\s*(<\?xml.*|<!--.*)?<(!doctype )?html": "a web page, as a download that failed leaves; fetch it anew",
    rb"version https://git-lfs": "a pointer of Git LFS; fetch the file by git lfs pull",
    rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!": "a packed archive; unpack it",
    rb"\xff\xd8|\x89PNG|GIF8|BM|RIFF....WEBP|II\*\0|MM\0\*": "a damaged image; save or fetch it anew",
}


def kind_of(path: Path) -> str:
    """What a file that is no image that is read is, and what to do about it."""
    with open(path, "rb") as file:
        head = file.read(1024)
    if not head:
        return "the file is empty"
    return next((kind for magic, kind in KINDS.items() if re.match(magic, head, re.DOTALL)), "not an image")
