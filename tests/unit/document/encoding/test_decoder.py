"""What is read of another end's values, up to the limits of a message, and what is said beyond them."""

from __future__ import annotations

import gzip
from base64 import b64encode
from typing import Any

import numpy as np
import pytest
from bokeh.core.serialization import Buffer, DeserializationError, UnknownReferenceError
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Slider

from app_server.document.encoding.decoder import BYTES_FOR_A_MODEL, LEAST_MODELS, MAX_DEPTH, Decoder, is_plain

ROOM = 1_000_000


def decoded(value: Any, max_bytes: int = ROOM, document: Document | None = None, **options: Any) -> Any:
    """The value as one message brings it."""
    return Decoder(document or Document(), "me", max_bytes, **options).decode(value)


def fault(value: Any, max_bytes: int = ROOM, **options: Any) -> str:
    """What is said of a value that is refused."""
    with pytest.raises(DeserializationError) as caught:
        decoded(value, max_bytes, **options)
    return str(caught.value)


def inline(data: bytes) -> dict[str, Any]:
    return {"type": "bytes", "data": b64encode(gzip.compress(data)).decode()}


def array(data: bytes, dtype: str = "uint8") -> dict[str, Any]:
    shape = [len(data) // np.dtype(dtype).itemsize]
    return {"type": "ndarray", "array": inline(data), "shape": shape, "dtype": dtype, "order": "little"}


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value, []]
    return value


def slider(ident: object = "s1", name: str = "Slider", **attributes: Any) -> dict[str, Any]:
    return {"type": "object", "name": name, "id": ident, "attributes": attributes}


@pytest.mark.parametrize("value", ["a", 1, 1.5, True, None, [], [1, "a", None]])
def test_plain_values_are_what_they_are(value: object) -> None:
    assert is_plain(value)
    assert decoded(value) is value


@pytest.mark.parametrize("value", [{}, [[]], [{}], (1,), b"x", np.float64(1)])
def test_other_values_have_to_be_read(value: object) -> None:
    assert not is_plain(value)


def test_depth_of_values_has_a_limit() -> None:
    assert decoded(nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    assert fault(nested(MAX_DEPTH + 1)) == f"values are nested more than {MAX_DEPTH} levels deep"


def test_values_beside_each_other_are_not_deep() -> None:
    assert len(decoded([nested(2)] * (2 * MAX_DEPTH))) == 2 * MAX_DEPTH


def test_arrays_of_a_message_share_its_bytes() -> None:
    assert len(decoded([array(b"x" * 60), array(b"x" * 40)], 100)) == 2
    assert fault([array(b"x" * 60), array(b"x" * 41)], 100) == "the arrays of a message are larger than 100 bytes"


def test_array_is_not_unpacked_beyond_the_limit() -> None:
    assert fault(array(b"\0" * 50_000_000), 100) == "the arrays of a message are larger than 100 bytes"


@pytest.mark.parametrize("uses", [1, 2, 3])
def test_each_use_of_a_buffer_is_counted(uses: int) -> None:
    part = {"type": "bytes", "data": {"id": "b1"}}
    decoder = Decoder(Document(), None, 100)
    buffers = [Buffer(ID("b1"), b"x" * 50)]
    if uses <= 2:
        assert decoder.decode([[part]] * uses, buffers) == [[b"x" * 50]] * uses
        return
    with pytest.raises(DeserializationError, match="^the arrays of a message are larger than 100 bytes$"):
        decoder.decode([[part]] * uses, buffers)


@pytest.mark.parametrize("left_out", [1, 8, 12])
def test_array_that_is_cut_off(left_out: int) -> None:
    packed = gzip.compress(b"some bytes of an array")[:-left_out]
    assert fault({"type": "bytes", "data": b64encode(packed).decode()}) == "an inline array is cut off"


@pytest.mark.parametrize("dtype", ["float128", "V1000000000", "U1", "int7", "x" * 50, 3, None])
def test_type_of_array_that_the_protocol_does_not_have(dtype: object) -> None:
    assert fault({**array(b"x"), "dtype": dtype}) == f"no array has the type {str(dtype)[:40]!r}"


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "uint64", "float32", "float64"])
def test_types_of_arrays(dtype: str) -> None:
    made = np.array([0, 1, 1]).astype(dtype)
    found = decoded(array(made.tobytes(), dtype))
    assert found.dtype == made.dtype and found.tolist() == made.tolist()


def test_new_model_is_made_of_its_message_and_shared() -> None:
    first, second = decoded([slider(value=5, end=9), {"id": "s1"}])
    assert isinstance(first, Slider) and (first.id, first.value, first.end) == ("s1", 5, 9)
    assert second is first


def test_known_model_is_found_and_keeps_its_values() -> None:
    document = Document()
    document.add_root(known := Slider(value=3, start=0, end=9))
    assert decoded([{"id": known.id}, slider(known.id, value=5)], document=document) == [known, known]
    assert known.value == 3


def test_reference_to_no_model() -> None:
    with pytest.raises(UnknownReferenceError) as caught:
        decoded({"id": "nowhere"})
    assert caught.value.id == "nowhere"


@pytest.mark.parametrize("ident", [1, None, ["s1"], {}])
def test_id_that_is_no_text(ident: object) -> None:
    assert fault(slider(ident)) == "the id of a model is not a string"


@pytest.mark.parametrize("ident", ["", "a" * 513, "a<b", "a>b", "a&b", 'a"b', "a'b", "a`b", "a\nb", "a\x7fb"])
def test_id_that_a_page_could_not_carry(ident: str) -> None:
    said = "the id of a model is empty, too long, or has a character that HTML gives a meaning"
    assert fault(slider(ident)) == said
    assert decoded(slider(ident), any_ids=True).id == ident


@pytest.mark.parametrize("ident", ["p1001", "a" * 512, "ä ö", "x/y:z", "0b5c4ef6-8a3c-4c0e-9a53-7f4d7b0a0000"])
def test_ids_that_programs_choose(ident: str) -> None:
    assert decoded(slider(ident)).id == ident


@pytest.mark.parametrize(
    ("max_bytes", "models"),
    [(0, LEAST_MODELS), (LEAST_MODELS * BYTES_FOR_A_MODEL, LEAST_MODELS),
     ((LEAST_MODELS + 1) * BYTES_FOR_A_MODEL, LEAST_MODELS + 1)],
)  # fmt: skip
def test_number_of_new_models_has_a_limit(max_bytes: int, models: int) -> None:
    many = [{"type": "object", "name": "LinearScale", "id": f"m{number}"} for number in range(models + 1)]
    assert len(decoded(many[:-1], max_bytes)) == models
    assert fault(many, max_bytes) == "a message brings too many new models"
    # One that is named again is none that is new.
    assert len(decoded([*many[:-1], many[0]], max_bytes)) == models + 1


def test_model_that_nobody_knows() -> None:
    assert "NoSuchModel" in fault(slider(name="NoSuchModel"))


def test_values_of_a_new_model_are_checked() -> None:
    with pytest.raises(ValueError, match="orientation"):
        decoded(slider(orientation="sideways"))


def test_columns_of_a_new_source() -> None:
    entries = [["x", array(np.arange(3.0).tobytes(), "float64")]]
    source = decoded(slider(name="ColumnDataSource", data={"type": "map", "entries": entries}))
    assert isinstance(source, ColumnDataSource) and source.data["x"].tolist() == [0, 1, 2]
