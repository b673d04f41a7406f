//! The same scenario gives the same bytes; another seed gives others.

use crate::{files, small};

#[test]
fn a_seed_decides_everything() {
    let scenario = small("mixed", 100, 0.05);
    assert!(files(&scenario) == files(&scenario));
    let other = scenario.clone().with_seed(2);
    assert!(files(&scenario).0[0] != files(&other).0[0]);
}

#[test]
fn compressed_files_hold_the_same() {
    let folder = std::env::temp_dir().join(format!("simulator-{}", std::process::id()));
    let scenario = small("hydra", 50, 0.02);
    let [expected, ..] = files(&scenario).0;
    for (compression, name) in
        [(simulator::Compression::Plain, "exchanges.jsonl"), (simulator::Compression::Zstd, "exchanges.jsonl.zst")]
    {
        simulator::simulate_into(&scenario, None, &folder, compression).unwrap();
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let bytes = if name.ends_with("zst") { zstd::decode_all(bytes.as_slice()).unwrap() } else { bytes };
        assert!(bytes == expected.as_bytes(), "{name}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
