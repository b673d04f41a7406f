//! Files of models by their content, as loaders and attackers make them.

use std::io::Cursor;
use std::path::Path;

use proptest::prelude::*;
use vault::Format;
use vault::formats::{Look, look};
use vault::limits::{GGUF_METADATA_MAX, GGUF_NESTING_MAX, LOOK_BYTES_MAX, SAFETENSORS_HEADER_MAX, TENSORS_MAX};

fn looked(called: &str, content: &[u8]) -> Look {
    look(Path::new(called), &mut Cursor::new(content)).unwrap()
}

fn safetensors(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

/// A GGUF file: its metadata, its tensors, and what follows.
fn gguf(version: u32, entries: &[Vec<u8>], tensors: &[Vec<u8>], rest: usize) -> Vec<u8> {
    let counts = [tensors.len() as u64, entries.len() as u64].map(u64::to_le_bytes).concat();
    [b"GGUF", &version.to_le_bytes()[..], &counts, &entries.concat(), &tensors.concat(), &vec![0; rest]].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn entry(name: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&text(name)[..], &kind.to_le_bytes(), value].concat()
}

fn list(kind: u32, count: u64, values: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), values].concat()
}

fn tensor(name: &str, sides: &[u64], offset: u64) -> Vec<u8> {
    let sides = [
        &(sides.len() as u32).to_le_bytes()[..],
        &sides.iter().flat_map(|side| side.to_le_bytes()).collect::<Vec<_>>(),
    ]
    .concat();
    [&text(name)[..], &sides, &0_u32.to_le_bytes(), &offset.to_le_bytes()].concat()
}

#[test]
fn what_holds_numbers_and_text_is_on_the_list() {
    let entries = [
        entry("general.name", 8, &text("ours")),
        entry("n", 4, &[1, 0, 0, 0]),
        entry("words", 9, &list(8, 2, &[text("a"), text("b")].concat())),
        entry("numbers", 9, &list(6, 3, &[0; 12])),
    ];
    let cases: [(&str, Vec<u8>, Format); 17] = [
        (
            "m.safetensors",
            safetensors(r#"{"w":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}}"#, 12),
            Format::Safetensors,
        ),
        // By its content and not by its name.
        (
            "pytorch_model.bin",
            safetensors(r#"{"w":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}  "#, 3),
            Format::Safetensors,
        ),
        ("m.safetensors", safetensors(r#"{"__metadata__":{"format":"pt"}}"#, 0), Format::Safetensors),
        (
            "m.safetensors",
            safetensors(r#"{"w":{"dtype":"NEW","shape":[3],"data_offsets":[0,5]}}"#, 5),
            Format::Safetensors,
        ),
        ("m.gguf", gguf(3, &entries, &[tensor("a", &[4, 2], 0), tensor("b", &[1], 32)], 64), Format::Gguf),
        ("m.gguf", gguf(2, &[], &[], 0), Format::Gguf),
        ("m.onnx", b"\x08\x07\x12\x07pytorch\0\xff".to_vec(), Format::Onnx),
        (
            "a.npy",
            b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n\0\0\0\0".to_vec(),
            Format::Numpy,
        ),
        ("tokenizer.model", b"\x0a\x0e\x0a\x05<unk>\x15\0\0\0\0\x18\x02".to_vec(), Format::SentencePiece),
        ("config.json", b"{\"a\": 1}".to_vec(), Format::Text),
        ("vocab.txt", "über\ncat\nsat\n".into(), Format::Text),
        ("notes.txt", b"cat\nsat\non the mat".to_vec(), Format::Text),
        ("vocab.txt", b"cat\nsat\ntree\npot\n".to_vec(), Format::Text),
        ("vocab.txt", b"cats\nc\npot\n".to_vec(), Format::Text),
        ("empty", Vec::new(), Format::Text),
        ("long.txt", format!("{}{}", "x".repeat(LOOK_BYTES_MAX - 1), "ü and more").into(), Format::Text),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0".to_vec(), Format::Picture),
    ];
    for (called, content, expected) in cases {
        let Look { format, why } = looked(called, &content);
        assert_eq!((format, why.as_str()), (expected, ""), "{called}");
        assert!(format.is_listed());
    }
}

#[test]
fn what_may_run_something_is_not_on_the_list() {
    let zipped = b"PK\x03\x04\x14\0\0\0 archive/data.pkl";
    let tarred = [&[b'a'; 257][..], b"ustar\x0000"].concat();
    let cases: [(&str, &[u8], Format); 22] = [
        ("a.pkl", b"\x80\x04\x95\0", Format::Pickle),
        // Whatever it is called.
        ("config.json", b"\x80\x02}q\0.", Format::Pickle),
        ("notes.txt", b"cos\nsystem\n(S'id'\ntR.", Format::Pickle),
        ("notes.txt", b"(cposix\nsystem\nS'id'\no.", Format::Pickle),
        ("notes.txt", b"cpathlib\nPath\np0\n(S'x'\n", Format::Pickle),
        ("notes.txt", b"cpathlib\nPath\nq\0(U\x01x", Format::Pickle),
        ("pytorch_model.bin", b"\0\x01\x02", Format::Pickle),
        ("m.pt", b"just text", Format::Pickle),
        ("M.CKPT", b"\xff\xfe", Format::Pickle),
        ("a.npy", b"\x93NUMPY\x01\0v\0{'descr': '|O', 'fortran_order': False}", Format::Pickle),
        ("a.npy", b"\x93NUMPY\x01\0v\0{", Format::Pickle),
        ("m.pt", zipped, Format::Archive),
        ("m.safetensors", zipped, Format::Archive),
        ("m.npz", b"PK\x05\x06", Format::Archive),
        ("m.bin", b"7z\xbc\xaf\x27\x1c", Format::Archive),
        ("m.json.gz", b"\x1f\x8b\x08", Format::Archive),
        ("m", &tarred, Format::Archive),
        ("m.h5", b"\x89HDF\r\n\x1a\n", Format::Hdf5),
        ("op.so", b"\x7fELF\x02", Format::Program),
        ("modeling_ours.py", b"import os", Format::Program),
        ("go", b"#!/bin/sh\n", Format::Program),
        ("m.weights", b"\0\x01\x02", Format::Unknown),
    ];
    for (called, content, expected) in cases {
        let Look { format, why } = looked(called, content);
        assert_eq!(format, expected, "{called}: {why}");
        assert!(!format.is_listed() && !why.is_empty(), "{called}");
    }
}

#[test]
fn safetensors_whose_tensors_are_not_there_once_each_are_damaged() {
    let cases = [
        (vec![1, 0, 0], "it ends in its length"),
        (safetensors("{}", 0)[..9].to_vec(), "its header is longer than it"),
        (u64::MAX.to_le_bytes().to_vec(), "its header is longer than it"),
        (safetensors("{", 0), "its header says"),
        (
            safetensors(r#"{"w":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}"#, 4),
            "its tensors have 3 bytes, and 4 follow",
        ),
        (
            safetensors(r#"{"w":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}"#, 2),
            "its tensors have 3 bytes, and 2 follow",
        ),
        (safetensors(r#"{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,3]}}"#, 3), "other bytes than its shape"),
        (
            safetensors(r#"{"w":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0),
            "other bytes than its shape",
        ),
        (safetensors(r#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#, 0), "one behind the other"),
        (
            safetensors(
                r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
                3,
            ),
            "one behind the other",
        ),
        (
            safetensors(
                r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#,
                0,
            ),
            "a name is there twice",
        ),
        (safetensors(r#"{"__metadata__":{"a":1}}"#, 0), "its header says"),
        (safetensors(r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"run":"x"}}"#, 0), "unknown field"),
    ];
    for (content, expected) in cases {
        let Look { format, why } = looked("m.safetensors", &content);
        assert!(format == Format::Damaged && why.contains(expected), "{expected}: {format}, {why}");
    }
}

#[test]
fn gguf_that_says_more_than_is_there_is_damaged() {
    let deep = |levels: usize| {
        let inner = (1..levels).fold(list(0, 0, &[]), |inner, _| list(9, 1, &inner));
        gguf(3, &[entry("a", 9, &inner)], &[], 0)
    };
    assert_eq!(looked("m.gguf", &deep(GGUF_NESTING_MAX)).why, "");
    let of_counts = |tensors: u64, entries: u64| {
        [b"GGUF", &3_u32.to_le_bytes()[..], &tensors.to_le_bytes(), &entries.to_le_bytes()].concat()
    };
    let cases = [
        (b"GGUF".to_vec(), "it ends in its header"),
        (gguf(1, &[], &[], 0), "its version is 1"),
        (gguf(3_u32.swap_bytes(), &[], &[], 0), "its version is 50331648"),
        (of_counts(TENSORS_MAX as u64, 0), "it ends in its header"),
        (of_counts(TENSORS_MAX as u64 + 1, 0), "more than 1000000 tensors"),
        (of_counts(0, GGUF_METADATA_MAX), "it ends in its header"),
        (of_counts(0, GGUF_METADATA_MAX + 1), "more than 1000000 tensors or 1000000 entries"),
        (deep(GGUF_NESTING_MAX + 1), "lists lie more than 4 deep"),
        (gguf(3, &[entry("a", 13, &[])], &[], 0), "the type 13"),
        (gguf(3, &[entry("a", 9, &list(8, u64::MAX, &[]))], &[], 0), "a list is longer than it"),
        (gguf(3, &[entry("a", 9, &list(10, u64::MAX, &[]))], &[], 0), "a list is longer than it"),
        (gguf(3, &[entry("a", 8, &u64::MAX.to_le_bytes())], &[], 0), "it ends in its header"),
        (gguf(3, &[entry("a", 0, &[])], &[], 0), "it ends in its header"),
        (gguf(3, &[], &[tensor("a", &[1; 9], 0)], 8), "a tensor has 9 sides"),
        (gguf(3, &[], &[tensor("a", &[1], 8)], 8), "a tensor lies behind its end"),
        (gguf(3, &[], &[tensor(&"a".repeat(4_097), &[1], 0)], 8), "a name has more than 4096 bytes"),
    ];
    for (content, expected) in cases {
        let Look { format, why } = looked("m.gguf", &content);
        assert!(format == Format::Damaged && why.contains(expected), "{expected}: {format}, {why}");
    }
}

#[test]
fn a_header_of_safetensors_has_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    for (length, expected) in
        [(SAFETENSORS_HEADER_MAX, "its header says"), (SAFETENSORS_HEADER_MAX + 1, "more than 100000000 bytes")]
    {
        std::fs::write(&path, length.to_le_bytes()).unwrap();
        let mut file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        file.set_len(8 + length).unwrap();
        let Look { format, why } = look(&path, &mut file).unwrap();
        assert!(format == Format::Damaged && why.contains(expected), "{length}: {why}");
    }
    let tensors = |count: usize| {
        let each: Vec<String> =
            (0..count).map(|n| format!(r#""{n:x}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#)).collect();
        looked("m.safetensors", &safetensors(&format!("{{{}}}", each.join(",")), 0))
    };
    assert_eq!(tensors(TENSORS_MAX).why, "");
    assert!(tensors(TENSORS_MAX + 1).why.contains("at most 1000000 tensors"));
}

proptest! {
    #[test]
    fn anything_is_looked_at_and_what_is_not_listed_says_why(
        magic in prop::sample::select(vec![&b""[..], b"GGUF\x03\0\0\0", b"\x93NUMPY", b"\x02\0\0\0\0\0\0\0{", b"(c", b"PK"]),
        called in prop::sample::select(vec!["m.safetensors", "m.bin", "m.gguf", "m", "m.model"]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let Look { format, why } = looked(called, &[magic, &rest].concat());
        prop_assert_eq!(format.is_listed(), why.is_empty());
    }
}
