//! What counts as a part of a model, and what its hashes are.

use std::fs;
use std::num::NonZeroU64;
use std::path::Path;

use proptest::prelude::*;
use vault::files::{Choice, files};
use vault::limits::{DEPTH_MAX, FILES_MAX};
use vault::{Algorithm, Difference, Manifest, Method, Name, Progress};

/// How the manifests of these tests are made.
pub(crate) fn method(algorithm: Algorithm, part_bytes: Option<u64>) -> Method {
    Method { algorithm, part_bytes: part_bytes.and_then(NonZeroU64::new), choice: Choice::default() }
}

/// A model of three files.
pub(crate) fn model(root: &Path) {
    fs::create_dir_all(root.join("tokenizer")).unwrap();
    fs::write(root.join("model.safetensors"), vec![7; 3_000_000]).unwrap();
    fs::write(root.join("tokenizer/words.json"), "{}").unwrap();
    fs::write(root.join("empty"), "").unwrap();
}

fn manifest(root: &Path, method: &Method, threads: usize) -> Manifest {
    Manifest::of(root, method, threads, &Progress::default()).unwrap()
}

fn named(manifest: &Manifest) -> Vec<(String, String)> {
    manifest.digests().map(|(key, digest)| (key.to_string(), digest.to_string())).collect()
}

#[test]
fn each_file_has_the_hash_that_others_give_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "abc").unwrap();
    let known = [
        // FIPS 180-4's example, and that of the BLAKE3 paper's reference implementation for the same text.
        (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (Algorithm::Blake3, "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
    ];
    for (algorithm, digest) in known {
        let manifest = manifest(folder.path(), &method(algorithm, None), 2);
        assert_eq!(named(&manifest), [("a".to_owned(), digest.to_owned())]);
    }
    // A model that is one file.
    let whole = manifest(&folder.path().join("a"), &method(Algorithm::Sha256, None), 1);
    assert_eq!((named(&whole)[0].0.as_str(), whole.model.as_str()), (".", "a"));
}

#[test]
fn parts_are_hashed_each_by_itself_and_a_file_without_bytes_has_none() {
    let folder = tempfile::tempdir().unwrap();
    model(folder.path());
    let parts = manifest(folder.path(), &method(Algorithm::Sha256, Some(1_000_000)), 3);
    let names: Vec<String> = named(&parts).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "model.safetensors:0:1000000",
            "model.safetensors:1000000:2000000",
            "model.safetensors:2000000:3000000",
            "tokenizer/words.json:0:2"
        ]
    );
    let progress = Progress::default();
    let list = files(folder.path(), &Choice::default()).unwrap();
    Manifest::of_files(folder.path(), &list, &parts.method, 2, &progress).unwrap();
    assert_eq!(progress.bytes(), 3_000_002);
}

#[test]
fn what_is_another_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    model(root);
    let method = method(Algorithm::Blake3, None);
    let before = manifest(root, &method, 2);
    assert!(before.differences(&manifest(root, &method, 1)).is_empty());
    fs::write(root.join("tokenizer/words.json"), "[]").unwrap();
    fs::remove_file(root.join("empty")).unwrap();
    fs::write(root.join("more"), "").unwrap();
    let told = before.differences(&manifest(root, &method, 2));
    let told: Vec<String> = told.iter().map(Difference::to_string).collect();
    assert_eq!(told, ["`empty` is missing", "`tokenizer/words.json` was changed", "`more` was added"]);
}

#[test]
fn links_devices_and_what_is_left_out_are_no_part_of_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("model");
    model(&root);
    fs::write(folder.path().join("elsewhere"), "x").unwrap();
    let count = |choice: &Choice| files(&root, choice).map(|files| files.len());
    assert_eq!(count(&Choice::default()).unwrap(), 3);
    let left_out = Choice { left_out: vec![Name::of("tokenizer").unwrap()], allow_links: false };
    assert_eq!(count(&left_out).unwrap(), 2);
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), root.join("link")).unwrap();
    let told = count(&Choice::default()).unwrap_err().to_string();
    assert!(told.contains("link"), "{told}");
    assert_eq!(count(&Choice { left_out: Vec::new(), allow_links: true }).unwrap(), 4);
    // A link to a folder may lead back to where it is.
    std::os::unix::fs::symlink(&root, root.join("again")).unwrap();
    assert!(count(&Choice { left_out: Vec::new(), allow_links: true }).is_err());
    fs::remove_file(root.join("again")).unwrap();
    fs::remove_file(root.join("link")).unwrap();
    let pipe = root.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(count(&Choice::default()).unwrap_err().to_string().contains("expected a file or a folder"));
}

#[test]
fn so_many_folders_within_each_other_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut path = folder.path().to_owned();
    for _ in 1..DEPTH_MAX {
        path.push("d");
    }
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("f"), "").unwrap();
    assert_eq!(files(folder.path(), &Choice::default()).unwrap().len(), 1);
    fs::create_dir(path.join("d")).unwrap();
    assert!(files(folder.path(), &Choice::default()).unwrap_err().to_string().contains("within each other"));
}

#[test]
fn so_many_files_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..FILES_MAX {
        fs::write(folder.path().join(n.to_string()), "").unwrap();
    }
    assert_eq!(files(folder.path(), &Choice::default()).unwrap().len(), FILES_MAX);
    fs::write(folder.path().join("one more"), "").unwrap();
    assert!(files(folder.path(), &Choice::default()).unwrap_err().to_string().contains(&FILES_MAX.to_string()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// However many threads there are, and however parts are cut, the hashes are those of the bytes.
    #[test]
    fn threads_change_nothing(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2_000), 0..6),
        part_bytes in prop::option::of(1_u64..700),
    ) {
        let folder = tempfile::tempdir().unwrap();
        for (n, content) in contents.iter().enumerate() {
            fs::write(folder.path().join(format!("f{n}")), content).unwrap();
        }
        let method = method(Algorithm::Blake3, part_bytes);
        let one = manifest(folder.path(), &method, 1);
        prop_assert_eq!(&one, &manifest(folder.path(), &method, 5));
        let mut expected = Vec::new();
        for (n, content) in contents.iter().enumerate() {
            match part_bytes {
                None => expected.push((format!("f{n}"), blake3::hash(content).to_hex().to_string())),
                Some(bytes) => expected.extend(content.chunks(bytes as usize).enumerate().map(|(part, chunk)| {
                    let from = part as u64 * bytes;
                    (format!("f{n}:{from}:{}", from + chunk.len() as u64), blake3::hash(chunk).to_hex().to_string())
                })),
            }
        }
        prop_assert_eq!(named(&one), expected);
    }
}
