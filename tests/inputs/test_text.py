import gzip
import struct

import numpy as np
import pytest

from privrep.inputs.text import coverage, encode_all, known_in_part, tokenise, vocabulary
from privrep.inputs.word_vectors import read_word_vectors

VECTORS = {"the": [1.0, 2.0, -3.5], "Über": [0.25, 0.5, 1e-3], "cat": [7.0, 8.0, 9.0]}


@pytest.mark.parametrize(
    ("transcript", "words"),
    [
        ("Excuse me.", ["excuse", "me"]),
        ("Don't, it’s 'fine' -- O'Neill's!", ["don't", "it's", "fine", "o'neill's"]),
        ("[LAUGHTER] yes <noise> no (inaudible) {breath}", ["yes", "no"]),
        (
            "Das will sie am Mittwoch ABGÄBEN, groß",
            ["das", "will", "sie", "am", "mittwoch", "abgäben", "groß"],
        ),
        ("U\u0308ber", ["über"]),  # the dots as a character of their own
        ("In 1984, 2 of_3", ["in", "1984", "2", "of", "3"]),
        ("[LAUGHTER] ... ", []),
        ("", []),
    ],
)
def test_tokenise(transcript, words):
    assert tokenise(transcript) == tuple(words)


def test_encoding_undoes_with_the_vocabulary():
    transcripts = [("b", "a"), (), ("c", "b", "c")]
    known = vocabulary(transcripts)
    assert known == ("<unk>", "a", "b", "c")
    words = encode_all(transcripts, known)
    assert words.values.dtype == np.int32
    assert words.values.tolist() == [2, 1, 0, 3, 2, 3]
    assert words.start.tolist() == [0, 2, 3] and words.length.tolist() == [2, 1, 3]
    assert encode_all([("a", "new", "c")], known).values.tolist() == [1, 0, 3]
    assert encode_all([()], known).values.tolist() == [0]
    assert coverage([("a", "new"), ("b", "b")], known) == 0.75
    assert coverage([("<unk>",)], known) == 0.0


def test_known_in_part_counts_only_the_part():
    words = encode_all([("a", "b"), ("c",), ("d",)], ("<unk>", "a", "b", "c", "d"))
    known = known_in_part(words, np.array([True, False, True]), 5)
    assert known.tolist() == [True, True, True, False, True]


def text_rows(header, vectors=VECTORS, end="\n"):
    lines = [f"{len(vectors)} 3"] if header else []
    lines += [f"{word} {' '.join(map(str, vector))}" for word, vector in vectors.items()]
    return "".join(line + end for line in lines).encode()


def binary_rows(between=b"\n", vectors=VECTORS):
    rows = [w.encode() + b" " + struct.pack("<3f", *v) for w, v in vectors.items()]
    return f"{len(vectors)} 3\n".encode() + between.join(rows) + between


@pytest.mark.parametrize(
    "content",
    [
        text_rows(header=True),  # word2vec .txt
        text_rows(header=True, end=" \n"),  # fastText .vec
        text_rows(header=False),  # GloVe
        binary_rows(),  # word2vec .bin as word2vec writes it
        binary_rows(between=b""),  # as other programs do
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_word_vectors_of_every_format(tmp_path, content, zipped):
    path = tmp_path / "vectors"  # told apart by content, not by name
    path.write_bytes(gzip.compress(content, mtime=0) if zipped else content)
    words, vectors = read_word_vectors(path, {"cat", "über", "dog", "<unk>"})
    assert words == ("<unk>", "cat", "über") and vectors.dtype == np.float32
    expected = np.array([[0, 0, 0], VECTORS["cat"], VECTORS["Über"]], np.float32)
    assert np.array_equal(vectors, expected)


def test_a_word_as_written_wins_over_other_case(tmp_path):
    rows = {"PARIS": [1, 1, 1], "Paris": [2, 2, 2], "Us": [3, 3, 3], "us": [4, 4, 4]}
    for content in (text_rows(True, rows), binary_rows(vectors=rows)):
        (tmp_path / "v").write_bytes(content)
        words, vectors = read_word_vectors(tmp_path / "v", ["paris", "us"])
        assert words == ("<unk>", "paris", "us")
        assert vectors[1:, 0].tolist() == [1, 4]


def test_a_binary_file_longer_than_what_is_read_at_once(tmp_path):
    random = np.random.default_rng(0)
    table = random.standard_normal((9000, 300)).astype("<f4")  # 11 MB
    rows = b"".join(b"w%d " % i + row.tobytes() for i, row in enumerate(table))
    (tmp_path / "v.bin").write_bytes(b"9000 300\n" + rows)
    words, vectors = read_word_vectors(tmp_path / "v.bin", [f"w{i}" for i in range(9000)])
    order = [int(word[1:]) for word in words[1:]]
    assert np.array_equal(vectors[1:], table[order])


def test_words_with_spaces_do_not_pass_for_their_beginning(tmp_path):
    (tmp_path / "v").write_text(". 1 2\nat name@site 3 4\nat 5 6\n")
    words, vectors = read_word_vectors(tmp_path / "v", ["at"])
    assert words == ("<unk>", "at") and vectors[1].tolist() == [5, 6]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not word vectors"),
        (b"id,audio,speaker\n", "not word vectors"),
        (b"PK\x03\x04 zipped", "not word vectors.*unpacked"),
        (text_rows(True) + b"dog 1 2\n", "line 5: 2 numbers instead of 3"),
        (text_rows(False) + b"dog 1 2 3 4\n", "line 4: 4 numbers instead of 3"),
        (text_rows(False) + b"dog 1 x 3\n", "line 4: could not convert"),
        (text_rows(False) + b"dog 1 nan 3\n", "line 4: .* not finite"),
        (text_rows(True).replace(b"3 3\n", b"4 3\n"), "3 words where line 1 promises 4"),
        (binary_rows()[:-5], "word 3 of the 3"),
        (binary_rows().replace(b"3 3\n", b"9 3\n"), "word 4 of the 9"),
        (gzip.compress(binary_rows(), mtime=0)[:-12], "damaged gzip"),
        (text_rows(True, {"chat": [1, 2, 3]}), "not one of the corpus's 2 words"),
    ],
)
def test_a_file_that_is_no_word_vectors_is_refused(tmp_path, content, message):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_word_vectors(tmp_path / "v", ["the", "dog"])
    assert str(tmp_path / "v") in str(error.value)


def test_a_missing_vector_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.bin"):
        read_word_vectors(tmp_path / "none.bin", ["the"])
