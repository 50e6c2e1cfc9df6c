"""A published file."""

import gzip
import hashlib

CONTENT = b"published bytes" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PACKED = gzip.compress(CONTENT, mtime=0)
MD5 = f"md5:{hashlib.md5(PACKED).hexdigest()}"
