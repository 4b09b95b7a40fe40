"""The hashes and the signatures of proof format 1, and how strict they are."""

import hashlib

from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def derive(context: str, data: bytes) -> bytes:
    """`B(context, data)`: BLAKE3 in key derivation mode."""
    return blake3(data, derive_key_context=context).digest()


def plain(data: bytes) -> bytes:
    """BLAKE3 without a key; only the seal and the armour use it."""
    return blake3(data).digest()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def is_point(encoded: bytes) -> bool:
    """Whether the bytes name a point of the curve. A y of p or more is taken modulo p, as RFC 7748 readers do."""
    y = (int.from_bytes(encoded, "little") & (2**255 - 1)) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    return v * x * x % P in (u, -u % P)


def is_canonical(encoded: bytes) -> bool:
    """Whether y is below p. The points with x = 0, which have a second spelling too, are of small order."""
    return int.from_bytes(encoded, "little") & (2**255 - 1) < P


def _small_orders() -> frozenset[int]:
    """The y of the eight points whose order divides 8: 1, -1, 0 (order 4), and the two of order 8."""
    # A point of order 8 doubles to one with y = 0, so x² = -y²; with the curve equation that is d·y⁴ + 2y² - 1 = 0,
    # hence y² = (-1 ± √(1 + d)) / d.
    root = _sqrt((1 + D) % P)
    assert root is not None, "1 + d is a square in this field"
    inverse = pow(D, -1, P)
    found = {0, 1, P - 1}
    for square in ((root - 1) * inverse % P, (-root - 1) * inverse % P):
        y = _sqrt(square)
        if y is not None:
            found |= {y, P - y}
    assert len(found) == 5, "the eight points of small order have five different y"
    return frozenset(found)


def _sqrt(a: int) -> int | None:
    x = pow(a, (P + 3) // 8, P)
    if x * x % P != a:
        x = x * SQRT_M1 % P
    return x if x * x % P == a else None


SMALL_ORDERS = _small_orders()


def is_small_order(encoded: bytes) -> bool:
    """Whether the point, in any spelling, has an order that divides 8."""
    return (int.from_bytes(encoded, "little") & (2**255 - 1)) % P in SMALL_ORDERS


def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """Strict Ed25519.

    The library computes [S]B - [k]A and compares its canonical bytes with R: no cofactor, and an R in another spelling
    never matches. It does not look at small orders, and that it refuses a large S is checked here rather than assumed.
    """
    if int.from_bytes(signature[32:], "little") >= L:
        return False
    if is_small_order(key) or is_small_order(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
