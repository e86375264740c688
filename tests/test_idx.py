import gzip
import io
import itertools
import os
import struct
import sys
import threading
import tracemalloc
import zlib
from contextlib import contextmanager
from math import inf, prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlteach.idx import IdxError, read_idx, write_idx

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}
quick = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def header(code, *sizes):
    return bytes([0, 0, code, len(sizes)]) + b"".join(struct.pack(">I", size) for size in sizes)


def encode(array):
    """IDX, written down a second time and independently of the package."""
    array = np.asarray(array)
    elements = array.ravel(order="C")
    big_endian = elements.dtype.isnative == (sys.byteorder == "big")
    body = elements if big_endian else elements.byteswap()
    return header(CODES[array.dtype.name], *array.shape) + body.tobytes()


@contextmanager
def peak_below(limit):
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


def refusal(source, **options):
    """The message of the IdxError, checked to be one sentence that begins with the file's name."""
    with pytest.raises(IdxError) as caught:
        read_idx(source, **options)
    message = str(caught.value)
    name = "the BytesIO" if isinstance(source, io.BytesIO) else str(source)
    if not isinstance(source, str | Path | io.BytesIO):
        name = str(source.name)
    assert message.startswith(f"{name} ")
    assert "\n" not in message
    rest = message.removeprefix(name)
    assert ". " not in rest
    assert not rest.endswith((".", ": "))
    return rest


class Drip:
    """A binary file with nothing but ``read``, whose reads come up short."""

    name = "drip"

    def __init__(self, content, most=1):
        self.content, self.most, self.given = content, most, 0

    def read(self, count):
        chunk = self.content[self.given : self.given + min(count, self.most)]
        self.given += len(chunk)
        return chunk


IMAGE = np.arange(6, dtype=np.uint8).reshape(2, 3)
FILE = header(0x08, 2, 3) + bytes(range(6))


# The format


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (0x08, b"\x01\xff", np.array([1, 255], np.uint8)),
        (0x09, b"\x01\xff", np.array([1, -1], np.int8)),
        (0x0B, b"\x01\x02\xff\xfe", np.array([258, -2], np.int16)),
        (0x0C, b"\x01\x02\x03\x04\xff\xff\xff\xfe", np.array([16909060, -2], np.int32)),
        (0x0D, b"\x3f\xc0\x00\x00\xc0\x00\x00\x00", np.array([1.5, -2], np.float32)),
        (0x0E, b"\x3f\xf8" + bytes(6) + b"\xc0" + bytes(7), np.array([1.5, -2], np.float64)),
    ],
)
def test_each_element_type_byte_for_byte(tmp_path, code, body, expected):
    content = header(code, 2) + body
    array = read_idx(io.BytesIO(content))
    np.testing.assert_array_equal(array, expected, strict=True)
    assert array.dtype.isnative
    assert array.flags.writeable
    assert array.flags.c_contiguous
    write_idx(tmp_path / "a.idx", expected)
    assert (tmp_path / "a.idx").read_bytes() == content


def test_the_bytes_of_an_image():
    assert FILE.hex(" ") == "00 00 08 02 00 00 00 02 00 00 00 03 00 01 02 03 04 05"
    np.testing.assert_array_equal(read_idx(io.BytesIO(FILE)), IMAGE, strict=True)


def test_no_dimensions_is_one_element():
    array = read_idx(io.BytesIO(header(0x0C) + b"\x00\x00\x00\x2a"))
    assert (array.shape, array.dtype, int(array)) == ((), np.int32, 42)
    assert "promises 4 bytes of data, but ends after 0" in refusal(io.BytesIO(header(0x0C)))


def test_sizes_are_unsigned():
    array = read_idx(io.BytesIO(header(0x08, 2**32 - 1, 0)))
    assert array.shape == (2**32 - 1, 0)


@st.composite
def arrays(draw):
    dtype = np.dtype(draw(st.sampled_from(list(CODES))))
    shape = draw(st.lists(st.integers(0, 4), max_size=5))
    for position in draw(st.lists(st.integers(0, len(shape)), max_size=draw(st.sampled_from([0, 3, 59])))):
        shape.insert(position, 1)
    stored = [draw(st.integers(1, 2)) * size for size in shape[:3]] + shape[3:]
    body = draw(st.randoms(use_true_random=False)).randbytes(prod(stored) * dtype.itemsize)
    array = np.frombuffer(bytearray(body), dtype).reshape(stored)
    if draw(st.booleans()):
        array = array.view(dtype.newbyteorder())
    if draw(st.booleans()):
        array = np.asfortranarray(array)
    steps = tuple(slice(None, None, draw(st.sampled_from([-1, 1]))) for _ in stored[:3])
    ends = tuple(slice(size) for size in shape)
    return array[steps][ends]


@given(array=arrays(), ending=st.sampled_from(["idx", "gz"]))
@quick
def test_round_trip(tmp_path, array, ending):
    path = tmp_path / f"array.{ending}"
    write_idx(path, array)
    content = path.read_bytes()
    assert content[:2] == (b"\x1f\x8b" if ending == "gz" else b"\x00\x00")
    assert (gzip.decompress(content) if ending == "gz" else content) == encode(array)
    back = read_idx(path)
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
    assert (back.shape, back.dtype) == (native.shape, native.dtype)
    assert back.tobytes() == native.tobytes()  # bit for bit, NaN included


def test_sixty_four_dimensions(tmp_path):
    array = np.arange(6, dtype=np.int16).reshape((1,) * 31 + (2,) + (1,) * 31 + (3,))
    write_idx(tmp_path / "deep.idx", array)
    np.testing.assert_array_equal(read_idx(tmp_path / "deep.idx"), array, strict=True)


# Where the bytes come from


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_every_kind_of_source(tmp_path, pack):
    path = tmp_path / "no-ending"
    path.write_bytes(pack(FILE))
    with open(path, "rb", buffering=0) as raw, open(path, "rb") as buffered, gzip.open(path) as unpacked:
        sources = [path, str(path), io.BytesIO(pack(FILE)), raw, buffered]
        sources += [Drip(pack(FILE)), Drip(pack(FILE), 3), Drip(memoryview(bytearray(pack(FILE))), 7)]
        sources += [unpacked] if pack is gzip.compress else []
        for source in sources:
            np.testing.assert_array_equal(read_idx(source), IMAGE, strict=True)
        assert [raw.closed, buffered.closed, unpacked.closed] == [False] * 3


def test_gzip_is_known_by_its_first_bytes(tmp_path):
    (tmp_path / "plain.gz").write_bytes(FILE)
    (tmp_path / "packed.idx").write_bytes(gzip.compress(FILE))
    for name in ("plain.gz", "packed.idx"):
        np.testing.assert_array_equal(read_idx(tmp_path / name), IMAGE)


def test_a_file_is_read_from_where_it_stands():
    for pack in (bytes, gzip.compress):
        file = io.BytesIO(b"before" + pack(FILE))
        file.seek(6)
        np.testing.assert_array_equal(read_idx(file), IMAGE)


def test_a_pipe():
    large = np.arange(300_000, dtype=np.int32)  # many times what a pipe holds
    receiving, sending = os.pipe()

    def send():
        with open(sending, "wb") as file:
            file.write(gzip.compress(encode(large), 1))

    writer = threading.Thread(target=send)
    writer.start()
    with open(receiving, "rb", buffering=0) as pipe:
        np.testing.assert_array_equal(read_idx(pipe), large, strict=True)
    writer.join()


def test_members_follow_one_another():
    parts = [FILE[:3], FILE[3:9], b"", FILE[9:], b""]
    content = b"".join(gzip.compress(part) for part in parts)
    np.testing.assert_array_equal(read_idx(io.BytesIO(content)), IMAGE)
    np.testing.assert_array_equal(read_idx(Drip(content)), IMAGE)
    assert "goes on" in refusal(io.BytesIO(content + gzip.compress(b"\x00")))


# What is refused

BROKEN = {
    "nothing": (b"", "ends inside its header: 0 of 4 bytes are there"),
    "half a magic number": (b"\x00\x00", "ends inside its header: 2 of 4 bytes are there"),
    "half a size": (header(0x08, 2, 3)[:9], "ends inside its header: 5 of 8 bytes are there"),
    "a web page": (b"<html>", "is not an IDX file: it begins with 0x3c68, not with 0x0000"),
    "second byte": (b"\x00\x01\x08\x01", "it begins with 0x0001"),
    "unknown type": (
        header(0x0A, 1) + b"\x00",
        "unknown element type 0x0a: IDX knows 0x08, 0x09, 0x0b, 0x0c, ",
    ),
    "65 dimensions": (header(0x08, *[1] * 65) + b"\x00", "has 65 dimensions: a NumPy array has at most 64"),
    "255 dimensions": (header(0x08, *[1] * 255) + b"\x00", "has 255 dimensions"),
    "too large": (header(0x08, *[2**32 - 1] * 64), "no NumPy array can be that large"),
    "too large and empty": (header(0x0E, 0, 2**31, 2**31), "no NumPy array can be that large"),
    "no data": (header(0x08, 2, 3), "promises 6 bytes of data, but ends after 0"),
    "too little data": (FILE[:-1], "promises 6 bytes of data, but ends after 5"),
    "half an element": (header(0x0E, 1) + b"\x00\x00\x00", "promises 8 bytes of data, but ends after 3"),
    "a byte too many": (FILE + b"\x00", "promises 6 bytes of data, but goes on after them"),
    "a second array": (FILE + FILE, "but goes on after them"),
    "data of an empty array": (header(0x08, 0) + b"\x00", "promises 0 bytes of data, but goes on after them"),
    "more than max_bytes": (
        header(0x08, 2**31 + 1),
        "promises 2147483649 bytes of data: max_bytes allows 2147483648",
    ),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(("content", "why"), BROKEN.values(), ids=BROKEN)
def test_broken_files(tmp_path, content, why, pack):
    path = tmp_path / "broken.idx"
    path.write_bytes(pack(content))
    assert why in refusal(path)
    assert why in refusal(io.BytesIO(pack(content)))
    assert why in refusal(Drip(pack(content)))


def test_numpy_draws_the_same_line():
    for shape in [(0, 2**31, 2**31 - 1), (0, 2**31, 2**31), (0, 2**32 - 1, 2**27), (0, 2**32 - 1, 2**29)]:
        try:
            np.empty(shape, np.float64)
        except ValueError:
            assert "no NumPy array" in refusal(io.BytesIO(header(0x0E, *shape)))
        else:
            assert read_idx(io.BytesIO(header(0x0E, *shape))).shape == shape


def test_every_truncation():
    for size in range(len(FILE)):
        assert "ends" in refusal(io.BytesIO(FILE[:size]))
    packed = gzip.compress(FILE)
    for size in range(2, len(packed)):
        assert refusal(io.BytesIO(packed[:size])) == " is a gzip file that was cut short: fetch it again"


@pytest.mark.parametrize("rubbish", [b"\x00", b"rubbish", b"\x1f", b"\x1f\x8b", bytes(512)])
def test_rubbish_after_gzip(rubbish):
    assert "gzip file" in refusal(io.BytesIO(gzip.compress(FILE) + rubbish))
    assert "gzip file" in refusal(Drip(gzip.compress(FILE) + rubbish))


@pytest.mark.parametrize("position", [-8, -4, 2, 3])
def test_damaged_gzip(position):
    """The checksum, the length, the method and the flags."""
    content = bytearray(gzip.compress(FILE))
    content[position] ^= 0xE1
    assert "is a damaged gzip file: fetch it again" in refusal(io.BytesIO(content))


@given(data=st.data(), array=arrays(), packed=st.booleans())
@quick
def test_mutated_bytes_are_refused_or_right(data, array, packed):
    content = bytearray(gzip.compress(encode(array)) if packed else encode(array))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        stop = data.draw(st.integers(start, min(start + 4, len(content))))
        content[start:stop] = data.draw(st.binary(max_size=4))
    with peak_below(2_000_000):
        try:
            back = read_idx(io.BytesIO(content))
        except IdxError:
            return
    assert encode(back) == (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)


@given(content=st.binary(max_size=40), code=st.sampled_from(list(CODES.values())), ndim=st.integers(0, 255))
@quick
def test_any_header_is_refused_or_right(content, code, ndim):
    content = bytes([0, 0, code, ndim]) + content
    with peak_below(2_000_000):
        try:
            back = read_idx(io.BytesIO(content), max_bytes=2**60)
        except IdxError:
            return
    assert encode(back) == content


def test_max_bytes_counts_the_elements():
    np.testing.assert_array_equal(read_idx(io.BytesIO(FILE), max_bytes=6), IMAGE)
    np.testing.assert_array_equal(read_idx(io.BytesIO(FILE), max_bytes=inf), IMAGE)
    assert "promises 6 bytes of data: max_bytes allows 5" in refusal(io.BytesIO(FILE), max_bytes=5)
    for useless in (0, -1):
        with pytest.raises(ValueError, match=f"max_bytes is {useless}, but must be at least 1"):
            read_idx(io.BytesIO(FILE), max_bytes=useless)


# Memory


def bomb(path, head, size):
    """A gzip file that holds ``size`` zeros after the head."""
    packer = zlib.compressobj(1, wbits=31)
    with open(path, "wb") as file:
        file.write(packer.compress(head))
        for _ in range(size // 10**6):
            file.write(packer.compress(bytes(10**6)))
        file.write(packer.flush())


def test_a_bomb_costs_no_memory(tmp_path):
    path = tmp_path / "bomb.gz"
    bomb(path, header(0x08, 10), 300 * 10**6)
    assert path.stat().st_size < 3 * 10**6
    with peak_below(10**6), open(path, "rb", buffering=0) as file:
        assert "goes on" in refusal(file)
        assert file.tell() <= 2**17


def test_an_honest_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.gz"
    bomb(path, header(0x08, 30 * 10**6), 30 * 10**6)
    with peak_below(10**6):
        assert "max_bytes allows 20000000" in refusal(path, max_bytes=20 * 10**6)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_promise_is_not_allocated(pack):
    with peak_below(10**6):
        assert "but ends after 9" in refusal(io.BytesIO(pack(header(0x08, 2**31 - 1) + bytes(9))))
        assert "but ends after 9" in refusal(
            io.BytesIO(pack(header(0x0E, 2**31) + bytes(9))), max_bytes=2**62
        )


def test_an_endless_file_is_left_early():
    endless = Drip(b"")
    chunks = itertools.chain([FILE], itertools.repeat(b"more"))
    endless.read = lambda count: next(chunks)
    assert "goes on" in refusal(endless)


def test_an_array_takes_hardly_more_than_its_bytes():
    content = header(0x08, 8_000_000) + bytes(8_000_000)
    with peak_below(18_000_000):  # while it grows, the old and the new buffer may exist together
        read_idx(io.BytesIO(content))


# Files that are none


def test_paths_that_cannot_be_opened(tmp_path):
    assert "cannot be opened: No such file" in refusal(tmp_path / "absent.idx")
    assert "cannot be opened: it is a folder" in refusal(tmp_path)
    assert "cannot be opened: embedded null" in refusal("a\0b")


def test_a_file_that_may_not_be_read(monkeypatch):
    def forbid(path, mode):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("mlteach.idx.open", forbid, raising=False)
    assert refusal("secret.idx") == " cannot be opened: Permission denied"


def test_files_that_give_no_bytes(tmp_path):
    path = tmp_path / "text.idx"
    path.write_bytes(FILE)
    with open(path, encoding="latin-1") as text:
        assert "gives str instead of bytes: open it in binary mode" in refusal(text)
    path.write_bytes(gzip.compress(FILE))
    with open(path, encoding="utf-8") as text:
        assert "cannot be read as a binary file: 'utf-8' codec" in refusal(text)
    assert "cannot be read as a binary file: I/O operation on closed file" in refusal(text)
    with open(path, "ab") as written:
        assert "cannot be read as a binary file" in refusal(written)

    blocked = Drip(b"")
    blocked.read = lambda count: None
    assert "gives NoneType instead of bytes" in refusal(blocked)


def test_a_read_that_fails(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(FILE)[:-1])
    with gzip.open(path) as file:
        assert "cannot be read as a binary file" in refusal(file)

    unplugged = Drip(b"")

    def fail(count):
        raise OSError(5, "Input/output error")

    unplugged.read = fail
    assert "cannot be read as a binary file: Input/output error" in refusal(unplugged)


@pytest.mark.parametrize("source", [3, None, FILE, np.zeros(3)])
def test_no_source_at_all(source):
    kind = type(source).__name__
    with pytest.raises(TypeError, match=f"^an IDX file is a path or an open binary file, not {kind}: "):
        read_idx(source)


# Writing


def test_equal_arrays_give_equal_bytes(tmp_path):
    for name in ("first.gz", "second.gz"):
        write_idx(tmp_path / name, IMAGE)
    first = (tmp_path / "first.gz").read_bytes()
    assert first == (tmp_path / "second.gz").read_bytes()
    assert first[3] == 0  # no name, no comment
    assert first[4:8] == bytes(4)  # no date


def test_writing_to_a_str_and_over_a_file(tmp_path):
    path = tmp_path / "a.idx"
    path.write_bytes(b"something longer than what replaces it, by far")
    write_idx(str(path), IMAGE)
    assert path.read_bytes() == FILE
    assert os.listdir(tmp_path) == ["a.idx"]


@pytest.mark.parametrize(
    "dtype", ["bool", "uint16", "uint32", "int64", "float16", "complex64", "U1", "M8[s]", "object", "i2,i2"]
)
def test_element_types_that_idx_lacks(tmp_path, dtype):
    path = tmp_path / "a.idx"
    path.write_bytes(b"old")
    array = np.zeros(2, dtype)
    with pytest.raises(IdxError) as caught:
        write_idx(path, array)
    known = "uint8, int8, int16, int32, float32, float64"
    assert str(caught.value) == f"{path} cannot hold {array.dtype}: convert the array to one of {known} first"
    assert path.read_bytes() == b"old"


def test_a_size_beyond_the_header(tmp_path):
    with pytest.raises(IdxError, match=r"cannot hold an array of shape \(0, 4294967296\): a size is at most"):
        write_idx(tmp_path / "a.idx", np.zeros((0, 2**32), np.uint8))
    write_idx(tmp_path / "a.idx", np.zeros((0, 2**32 - 1), np.uint8))


def test_places_that_cannot_be_written(tmp_path):
    for path, why in [
        (tmp_path / "absent" / "a.idx", "No such file or directory"),
        (tmp_path, ""),
        (tmp_path / "a\0b", "embedded null"),
    ]:
        with pytest.raises(IdxError) as caught:
            write_idx(path, IMAGE)
        assert str(caught.value).startswith(f"{path} cannot be written: ")
        assert why in str(caught.value)
    with pytest.raises(TypeError):
        write_idx(io.BytesIO(), IMAGE)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_half_written_stays(tmp_path, monkeypatch, error):
    path = tmp_path / "a.idx"
    path.write_bytes(b"old")

    def fail(source, target):
        assert Path(source).read_bytes() == FILE
        assert Path(source).parent == Path(target).parent
        raise error

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else IdxError):
        write_idx(path, IMAGE)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.idx"]
