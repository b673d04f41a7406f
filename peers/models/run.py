"""Models that two programs check and read: signatures by `stillwatch vault` and OpenSSF's `model_signing`, locked models by a reader of their documents."""

import argparse
import json
import pathlib
import pickle
import shutil
import subprocess
import sys
import tempfile
import time

import reader

CURVES = ["prime256v1", "secp384r1", "secp521r1"]
# How hashes are made, with the flags that say so.
# Files of the model are bytes that show where they are, and nothing that a loader takes.
ANY_FORMAT = [flag for name in ["damaged", "pickle", "unknown"] for flag in ["--allow-format", name]]
WAYS = {"sha256": [], "blake3": ["--hash", "blake3"], "parts": ["--parts", "100000"]}


def ran(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True)


def done(*words):
    result = ran(*words)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}\n{result.stdout}{result.stderr}")


def model(root):
    """A model of a few files, with names that are sorted otherwise by bytes than by parts of the path."""
    for name, content in {
        "model-00001-of-00002.safetensors": b"\x07" * 250_000,
        "model-00002-of-00002.safetensors": bytes(range(256)) * 2_000,
        "a/b.json": b"{}",
        "a.json": b"[]",
        "a b": b"x",
        "\u00fc/\u00e4": b"y",
        ".hidden": b"z",
        "empty": b"",
        ".git/config": b"not a part",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def theirs_signs(root, key, out, way):
    """The library, since the command has no choice of the hash."""
    import model_signing

    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=key)
    hashing = model_signing.hashing.Config()
    if way == "blake3":
        hashing.use_file_serialization(hashing_algorithm="blake3")
    elif way == "parts":
        hashing.use_shard_serialization(shard_size=100_000)
    hashing.set_ignored_paths(paths=[], ignore_git_paths=True)
    config.set_hashing_config(hashing).sign(root, out)


def theirs_refuses(root, signature, public):
    """Why the library refuses a signature, if it does: the command takes SHA-256 of whole files for granted."""
    import model_signing

    config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public)
    try:
        config.verify(root, signature)
    except ValueError as error:
        return str(error)
    return None


def changes(root):
    """What somebody may do to a model, each told by its name."""
    large = root / "model-00002-of-00002.safetensors"

    def flip():
        content = bytearray(large.read_bytes())
        content[len(content) // 2] ^= 1
        large.write_bytes(content)

    yield "a bit of a file", flip
    yield "a file more", lambda: (root / "pickle.bin").write_bytes(b"\x80\x04.")
    yield "a file less", lambda: (root / "a.json").unlink()
    yield "a file renamed", lambda: (root / "a b").rename(root / "a c")
    yield "a shorter file", lambda: large.write_bytes(large.read_bytes()[:-1])


def read_by_two(binary, work, case):
    """Locks a model, and reads it by the documents of the format alone."""
    root = work / "locked" / "model"
    shutil.rmtree(root, ignore_errors=True)
    model(root)
    # Segments of 64 KiB: none, one, some, and one that ends with the file.
    (root / "whole.bin").write_bytes(bytes(64 * 1024 - 32))
    (root / "larger.bin").write_bytes(bytes(range(251)) * 2_000)
    data, out = work / "data", work / "locked" / "out"
    up = subprocess.Popen(
        [binary, "up", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", work / "ready"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            if (work / "ready").exists():
                break
            time.sleep(0.1)
        keys, holders = {}, []
        for name in ["ann", "bob", "cyd"]:
            (work / f"{name}.txt").write_text(f"the words of {name}\n")
            keys[name] = (work / f"{name}.key", f"the words of {name}")
            done(binary, "vault", "key", "--out", keys[name][0], "--passphrase-file", work / f"{name}.txt")
            holders += ["--holder", work / f"{name}.pub"]
        words = ["--needed", "2", "--by", "ann", "--reason", "a drill", "--data", data]
        done(binary, "vault", "lock", root, "--out", out, *holders, *words, *ANY_FORMAT)
    finally:
        up.terminate()
        up.wait()
    expected = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }
    for two in [["ann", "bob"], ["bob", "cyd"], ["cyd", "ann"]]:
        files = reader.read(out, [keys[name] for name in two])
        case(f"locked, read by {' and '.join(two)}: the same files", files == expected)
    try:
        reader.read(out, [keys["ann"]])
        case("locked, read by ann alone: refused", False)
    except AssertionError:
        case("locked, read by ann alone: refused", True)


def formats(binary, work, case):
    """What other programs write of each format, told by its content under another name as well."""
    import gguf
    import numpy
    import safetensors.numpy

    root = work / "formats"
    root.mkdir()
    tensors = {"a": numpy.arange(12, dtype=numpy.float32).reshape(3, 4), "b": numpy.zeros((0, 2), dtype=numpy.int8), "c": numpy.float16(1) * numpy.ones(5, dtype=numpy.float16)}
    safetensors.numpy.save_file(tensors, root / "model.safetensors", metadata={"format": "np"})
    writer = gguf.GGUFWriter(root / "model.gguf", "llama")
    writer.add_string("general.name", "ours")
    writer.add_uint32("llama.block_count", 2)
    writer.add_array("tokenizer.ggml.tokens", ["a", "b", "\u00fc"])
    writer.add_array("numbers", [1.0, 2.0])
    for name in ["a", "c"]:
        writer.add_tensor(name, tensors[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    numpy.save(root / "numbers.npy", tensors["a"])
    numpy.save(root / "objects.npy", numpy.array([{"a": 1}], dtype=object), allow_pickle=True)
    numpy.savez(root / "both.npz", **tensors)
    for protocol in range(6):
        (root / f"protocol{protocol}.json").write_bytes(pickle.dumps(pathlib.PurePosixPath("x"), protocol))
    shutil.copy(root / "model.gguf", root / "holiday.jpg")
    expected = {
        "model.safetensors": "safetensors", "model.gguf": "gguf", "holiday.jpg": "gguf", "numbers.npy": "numpy", "objects.npy": "pickle",
        "both.npz": "archive", **{f"protocol{protocol}.json": "pickle" for protocol in range(6)},
    }
    told = json.loads(ran(binary, "vault", "formats", root, "--json").stdout)
    is_told = {file["name"]: file["format"] for file in told["files"]}
    for name, kind in expected.items():
        case(f"formats, {name}: {kind}", is_told[name] == kind)
        if is_told[name] != kind:
            print(is_told[name])
    # What is cut off is none of them any more.
    for name in ["model.safetensors", "model.gguf"]:
        content = (root / name).read_bytes()
        (root / name).write_bytes(content[: len(content) // 2])
    told = json.loads(ran(binary, "vault", "formats", root, "--json").stdout)
    is_told = {file["name"]: file["format"] for file in told["files"]}
    for name in ["model.safetensors", "model.gguf"]:
        case(f"formats, {name}, half of it: damaged", is_told[name] == "damaged")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    binary = parser.parse_args().binary
    failed, count = [], 0

    def case(name, holds):
        nonlocal count
        count += 1
        print("ok     " if holds else "FAILED ", name, flush=True)
        if not holds:
            failed.append(name)

    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        for curve in CURVES:
            key, public = work / f"{curve}.key", work / f"{curve}.pub"
            done("openssl", "ecparam", "-name", curve, "-genkey", "-noout", "-out", key)
            done("openssl", "ec", "-in", key, "-pubout", "-out", public)
        other = work / f"{CURVES[1]}.pub"
        for curve in CURVES:
            key, public = work / f"{curve}.key", work / f"{curve}.pub"
            for way, flags in WAYS.items():
                root = work / "model"
                shutil.rmtree(root, ignore_errors=True)
                model(root)
                # Signatures lie in the model, as both programs allow.
                by_us, by_them = root / "ours.sig", work / "theirs.sig"
                done(binary, "vault", "sign", root, "--key", key, "--out", by_us, *flags, *ANY_FORMAT)
                told = theirs_refuses(root, by_us, public)
                case(f"{curve}, {way}: theirs checks ours", told is None)
                if told is not None:
                    print(told)
                by_us_bytes = by_us.read_bytes()
                by_us.unlink()
                theirs_signs(root, key, by_them, way)
                check_us = lambda root, public=public: ran(
                    binary, "vault", "verify", root, "--signature", by_them, "--key", public
                )
                told = check_us(root)
                case(f"{curve}, {way}: ours checks theirs", told.returncode == 0)
                if told.returncode != 0:
                    print(told.stdout, told.stderr)
                if curve != CURVES[1]:
                    case(f"{curve}, {way}: ours refuses another key", check_us(root, other).returncode == 65)
                if curve != CURVES[0]:
                    continue
                for what, _ in list(changes(root)):
                    copy = work / "changed" / "model"
                    shutil.rmtree(copy.parent, ignore_errors=True)
                    shutil.copytree(root, copy)
                    dict(changes(copy))[what]()
                    case(f"{way}, {what}: ours refuses theirs", check_us(copy).returncode == 65)
                    (copy / "ours.sig").write_bytes(by_us_bytes)
                    told = theirs_refuses(copy, copy / "ours.sig", public)
                    case(f"{way}, {what}: theirs refuses ours", told is not None and "ismatch" in told)
        read_by_two(binary, work, case)
        formats(binary, work, case)
    print(f"{count - len(failed)} of {count} cases passed")
    sys.exit(1 if failed else 0)


main()
