"""Writes the certificates that sign those of AWS into one file.

    roots.py FILE [--from BUNDLE]

With each new connection libcurl reads all certificates that it is to trust. A system has some hundred and forty of
them, AWS's addresses need five: those of Amazon Trust Services (https://www.amazontrust.com/repository). They are
taken from this system's own, and known by their SHA-256, which stands here: nothing is fetched, and nothing is trusted
because of its name.
"""

import argparse
import hashlib
import re
import ssl
import sys
from pathlib import Path

# Each root and its SHA-256, as Amazon publishes them.
ROOTS = {
    "Amazon Root CA 1": "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
    "Amazon Root CA 2": "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
    "Amazon Root CA 3": "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
    "Amazon Root CA 4": "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
    "Starfield Services Root Certificate Authority - G2": (
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5"
    ),
}
# Where systems keep what they trust: Debian, Amazon Linux, and what Python was told.
SYSTEMS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


def roots(bundle: str) -> dict:
    """Amazon's roots among the certificates of a bundle: name to text."""
    found = {}
    for match in _CERTIFICATE.finditer(bundle):
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(match[0].strip())).hexdigest()
        found.update({name: match[0] for name, known in ROOTS.items() if known == digest})
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--from", dest="bundle", type=Path, metavar="BUNDLE")
    given = parser.parse_args()
    places = [given.bundle] if given.bundle else [Path(place) for place in SYSTEMS]
    bundle = next((place for place in places if place.is_file()), None)
    if bundle is None:
        print(f"roots.py: there is none of {', '.join(map(str, places))}: install ca-certificates", file=sys.stderr)
        return 1
    found = roots(bundle.read_text(encoding="utf-8", errors="replace"))
    if missing := [name for name in ROOTS if name not in found]:
        print(f"roots.py: {bundle} lacks {', '.join(missing)}: install today's ca-certificates", file=sys.stderr)
        return 1
    given.file.write_text("".join(f"{name}\n{found[name].strip()}\n" for name in ROOTS), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
