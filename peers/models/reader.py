"""Reads a locked model from its documents alone: argon2id, HPKE, Shamir's shares and FLOE, written anew over the package `cryptography`."""

import base64
import hashlib
import hmac
import json
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

HOLDER = "stillwatch holder key 1"
MODEL = "stillwatch locked model 1"
INFO = b"stillwatch vault share 1"


def decoded(text):
    return base64.b64decode(text, validate=True)


def extract(salt, secret):
    return hmac.digest(salt or bytes(32), secret, hashlib.sha256)


def expand(key, info, length, hash=hashlib.sha256):
    """HKDF-Expand (RFC 5869)."""
    output, block, number = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(key, block + info + bytes([number]), hash)
        output, number = output + block, number + 1
    return output[:length]


def private_half(path, passphrase):
    """The private half of a holder's key that is locked by a passphrase."""
    written = json.loads(path.read_text())
    assert written["kind"] == HOLDER
    locked = written["locked"]
    by = locked["by"]["passphrase"]
    key = Argon2id(
        salt=decoded(by["salt"]), length=32, iterations=by["passes"], lanes=1, memory_cost=by["kib"]
    ).derive(passphrase.encode())
    bound = f"{HOLDER}\n{written['public']}".encode()
    private = AESGCM(key).decrypt(decoded(locked["nonce"]), decoded(locked["key"]), bound)
    return X25519PrivateKey.from_private_bytes(private), written["public"]


def opened(private, enc, sealed, bound):
    """HPKE (RFC 9180), base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""
    kem = b"KEM" + struct.pack(">H", 0x0020)
    suite = b"HPKE" + struct.pack(">HHH", 0x0020, 0x0001, 0x0002)

    def labeled_extract(suite, salt, label, secret):
        return extract(salt, b"HPKE-v1" + suite + label + secret)

    def labeled_expand(suite, key, label, info, length):
        return expand(key, struct.pack(">H", length) + b"HPKE-v1" + suite + label + info, length)

    shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    context = enc + private.public_key().public_bytes_raw()
    shared = labeled_expand(kem, labeled_extract(kem, b"", b"eae_prk", shared), b"shared_secret", context, 32)
    schedule = bytes([0]) + labeled_extract(suite, b"", b"psk_id_hash", b"")
    schedule += labeled_extract(suite, b"", b"info_hash", INFO)
    secret = labeled_extract(suite, shared, b"secret", b"")
    key = labeled_expand(suite, secret, b"key", schedule, 32)
    nonce = labeled_expand(suite, secret, b"base_nonce", schedule, 12)
    return AESGCM(key).decrypt(nonce, sealed, bound)


def times(one, other):
    """The product in GF(2^8) of AES."""
    product = 0
    while other:
        if other & 1:
            product ^= one
        one = (one << 1) ^ (0x11B if one & 0x80 else 0)
        other >>= 1
    return product


def joined(shares):
    """The secret of shares, each a number and bytes."""
    secret = bytearray(32)
    for number, part in shares:
        weight = 1
        for other, _ in shares:
            if other != number:
                difference = other ^ number
                inverse = next(n for n in range(1, 256) if times(n, difference) == 1)
                weight = times(weight, times(other, inverse))
        for at, byte in enumerate(part):
            secret[at] ^= times(byte, weight)
    return bytes(secret)


def message(key, bound, text):
    """What a FLOE message says (c2sp.org/FLOE): AES-256-GCM, HKDF-Expand with SHA-384."""
    parameters, iv, tag = text[:10], text[10:42], text[42:74]
    aead, kdf, segment, iv_bytes = struct.unpack(">BBII", parameters)
    assert (aead, kdf, iv_bytes) == (0, 0, 32)

    def derived(key, purpose, length):
        return expand(key, parameters + iv + purpose + bound, length, hashlib.sha384)

    assert hmac.compare_digest(derived(key, b"HEADER_TAG:", 32), tag)
    key = derived(key, b"MESSAGE_KEY:", 48)
    clear, position, rest = b"", 0, text[74:]
    while True:
        (length,) = struct.unpack(">I", rest[:4])
        is_final = length != 0xFFFFFFFF
        part, rest = rest[: length if is_final else segment], rest[length if is_final else segment :]
        own = derived(key, b"DEK:" + struct.pack(">Q", position >> 20 << 20), 32)
        clear += AESGCM(own).decrypt(part[4:16], part[16:], struct.pack(">Q?", position, is_final))
        position += 1
        if is_final:
            assert not rest
            return clear


def read(folder, keys):
    """The files of a locked model, opened by holders: pairs of a key file and a passphrase."""
    head = json.loads((folder / "vault.json").read_text())
    assert head["kind"] == MODEL

    def bound(part):
        return f"{MODEL}\n{head['id']}\n{part}".encode()

    shares = []
    for path, passphrase in keys:
        private, public = private_half(path, passphrase)
        (number, share) = next(
            (number, share)
            for number, share in enumerate(head["shares"], 1)
            if public.startswith(f"stillwatch-holder+{share['holder']}+")
        )
        part = bound(f"share {number}, {head['needed']} needed")
        shares.append((number, opened(private, decoded(share["enc"]), decoded(share["sealed"]), part)))
    key = joined(shares)
    index = json.loads(message(key, bound("index"), (folder / "index").read_bytes()))
    files = {}
    for number, file in enumerate(index["files"]):
        content = message(key, bound(f"file {number}"), (folder / str(number)).read_bytes())
        assert len(content) == file["bytes"]
        assert index["algorithm"] != "sha256" or hashlib.sha256(content).hexdigest() == file["digest"]
        files[file["name"]] = content
    return files
