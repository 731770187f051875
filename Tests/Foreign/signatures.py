"""Checks the signatures of a note with Python's cryptography, after C2SP signed-note and tlog-cosignature.

    python signatures.py NOTE KEY...     NOTE is a file, each KEY a verifier key that must have signed it

Prints one line a key: its name, and the time of a cosignature. Ends with 0 when all have signed, else with 2.
"""

import base64
import hashlib
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def main(path: str, keys: list[str]) -> None:
    with open(path, "rb") as file:
        text, lines = file.read().rsplit(b"\n\n", 1)
    text += b"\n"
    signatures = [line.split(b" ") for line in lines.splitlines()]
    for key in keys:
        name, identifier, content = key.split("+", 2)
        content = base64.b64decode(content, validate=True)
        digest = hashlib.sha256(name.encode() + b"\n" + content).digest()
        assert digest[:4].hex() == identifier, "the key id is wrong"
        mine = [base64.b64decode(words[2], validate=True) for words in signatures if words[1] == name.encode()]
        mine = [signature[4:] for signature in mine if signature[:4] == digest[:4]]
        assert mine, f"{name} has not signed"
        public = Ed25519PublicKey.from_public_bytes(content[1:])
        for signature in mine:
            if content[0] == 1:
                public.verify(signature, text)
                print(name)
            else:
                assert content[0] == 4, "an unknown type of key"
                time = int.from_bytes(signature[:8], "big")
                public.verify(signature[8:], b"cosignature/v1\ntime %d\n%s" % (time, text))
                print(name, time)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2:])
    except (AssertionError, InvalidSignature) as error:
        print("signatures.py:", error or "a signature is wrong", file=sys.stderr)
        sys.exit(2)
