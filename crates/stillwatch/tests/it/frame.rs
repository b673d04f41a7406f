//! What holds for every file of the repository: the invariants that no lint can state.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates that do no IO and read no clock.
pub(crate) const CORE: [&str; 10] =
    ["audit", "event", "exchange", "findings", "signals", "detect", "drill", "playbook", "policy", "verify"];

/// What the source of the core may not say outside its tests.
const NOT_IN_THE_CORE: [&str; 10] = [
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::process",
    "std::env",
    "std::thread",
    "SystemTime",
    "Instant::",
    "println!",
    "todo!",
];

/// The largest file that may be tracked. Test data is small and written by hand; logs and corpora are not for git.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The one file of data that the program carries.
const WORD_VECTORS: &str = "crates/signals/data/meaning.bin";
const WORD_VECTORS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a crate lies in crates/").to_owned()
}

#[test]
fn the_core_does_no_io() {
    for name in CORE {
        for path in sources(&root().join("crates").join(name).join("src")) {
            let text = read(&path);
            for (index, line) in text.lines().take_while(|line| *line != "#[cfg(test)]").enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for word in NOT_IN_THE_CORE {
                    assert!(!code.contains(word), "{}:{}: `{word}` in a core crate", path.display(), index + 1);
                }
            }
        }
    }
}

#[test]
fn every_module_begins_with_what_it_promises() {
    let mut wrong = Vec::new();
    for path in sources(&root().join("crates")).into_iter().filter(|path| path.iter().any(|part| part == "src")) {
        let text = read(&path);
        let paragraph: usize = text.lines().map_while(|line| line.strip_prefix("//! ")).map(str::len).sum();
        if paragraph < 20 {
            wrong.push(path);
        }
    }
    assert!(wrong.is_empty(), "no `//!` paragraph at the beginning of {wrong:#?}");
}

#[test]
fn no_tracked_file_is_large_or_a_corpus() {
    for path in tracked() {
        let name = path.to_string_lossy().into_owned();
        // A file may be deleted and not yet committed.
        let Ok(metadata) = fs::metadata(root().join(&path)) else { continue };
        let limit = if name == WORD_VECTORS { WORD_VECTORS_BYTES_MAX } else { FILE_BYTES_MAX };
        assert!(metadata.len() <= limit, "`{name}` has {} bytes, at most {limit}", metadata.len());
        assert!(!path.starts_with("corpora"), "`{name}` lies in the folder of corpora");
        for ending in [".jsonl.zst", ".jsonl.gz", ".parquet"] {
            assert!(!name.ends_with(ending), "`{name}` looks like a log or a corpus");
        }
    }
}

/// `deny.toml` says of every direct dependency why it is here.
#[test]
fn every_dependency_has_its_reason() {
    let manifest = read(&root().join("Cargo.toml"));
    let dependencies = manifest.split_once("[workspace.dependencies]").expect("a table of dependencies").1;
    let dependencies = dependencies.split("\n[").next().unwrap_or_default();
    let external = dependencies.lines().filter(|line| line.contains('=') && !line.contains("path ="));
    let mut names: Vec<&str> = external.filter_map(|line| Some(line.split_once(" =")?.0)).collect();
    let reasons = read(&root().join("deny.toml"));
    let table = reasons.split_once("# crate ").expect("a table of reasons").1;
    let mut rows: Vec<&str> = table
        .lines()
        .skip(1)
        .map(|row| {
            let cells: Vec<&str> = row.trim_start_matches('#').split('|').map(str::trim).collect();
            assert!(cells.len() == 3 && cells.iter().all(|cell| !cell.is_empty()), "`{row}` in deny.toml");
            cells[0]
        })
        .collect();
    names.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, names, "the table in deny.toml, and [workspace.dependencies]");
    let crates = fs::read_dir(root().join("crates")).expect("the crates");
    let manifests: String =
        crates.map(|entry| read(&entry.expect("a crate").path().join("Cargo.toml"))).collect::<Vec<_>>().concat();
    for name in names {
        let used = manifests.lines().any(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(".workspace") || rest.starts_with(" = { workspace"))
        });
        assert!(used, "`{name}` is used by no crate");
    }
}

/// A link to a file of the repository leads somewhere; to a heading, that it is there.
#[test]
fn every_link_between_documents_leads_somewhere() {
    for path in tracked().into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "md")) {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        let folder = root().join(&path).parent().expect("a folder").to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { root().join(&path) } else { folder.join(file) };
            assert!(file.exists(), "`{}` links to `{target}`, which is not there", path.display());
            let anchors: Vec<String> = if heading.is_empty() { Vec::new() } else { headings(&read(&file)) };
            assert!(
                heading.is_empty() || anchors.iter().any(|anchor| anchor == heading),
                "`{}` links to `{target}`; its headings are {anchors:?}",
                path.display()
            );
        }
    }
}

/// Every limit of a crate is tested under its own name.
#[test]
fn every_limit_of_the_readers_has_its_test() {
    let folder = root().join("crates/exchange");
    let limits = read(&folder.join("src/limits.rs"));
    let tests: String = sources(&folder.join("tests")).iter().map(|path| read(path)).collect();
    let names: Vec<&str> =
        limits.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next()).collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(tests.contains(&format!("limits::{name}")), "`{name}` is tested nowhere");
    }
}

/// Every target of the fuzzer is built, run by `fuzz/run`, and has something to start from.
#[test]
fn every_fuzz_target_is_run() {
    let folder = root().join("fuzz");
    let (manifest, script) = (read(&folder.join("Cargo.toml")), read(&folder.join("run")));
    let listed = script.lines().find_map(|line| line.split_once("targets=(native")).expect("a list of targets").1;
    for path in sources(&folder.join("fuzz_targets")) {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(manifest.contains(&format!("name = \"{name}\"")), "`{name}` is not in the manifest");
        let run = format!("native{listed}");
        assert!(run.trim_end_matches(')').split(' ').any(|target| target == name), "`{name}` is not run");
        let seeds = root().join(format!("crates/exchange/tests/golden/{name}.jsonl"));
        assert!(seeds.exists() || folder.join("seeds").join(&name).exists(), "`{name}` has no seeds");
    }
}

/// Continuous integration runs the commands that the README begins with, in their order, and git sees nothing of what they
/// leave behind.
#[test]
fn continuous_integration_runs_what_the_readme_says() {
    let commands = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim().to_owned());
        lines.filter(|line| line.starts_with("cargo ") || line.starts_with("./")).collect()
    };
    let readme = read(&root().join("README.md"));
    let first_block = readme.split("```").nth(1).expect("a block of commands");
    assert_eq!(commands(first_block), ["cargo run --release -p stillwatch -- demo", "./check"]);
    assert_eq!(commands(&read(&root().join(".ci/run"))), commands(first_block));
    assert!(read(&root().join(".gitignore")).lines().any(|line| line == "/stillwatch-demo/"));
}

#[test]
fn nothing_names_a_place_on_one_machine() {
    for path in tracked().into_iter().filter(|path| path.extension().is_none_or(|ending| ending != "lock")) {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        // Written in two pieces, so that this file does not hold them itself.
        for place in [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("artif", "actory")] {
            assert!(!text.contains(place), "`{}` names `{place}`", path.display());
        }
    }
}

/// The headings of a document, as they are linked to.
fn headings(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
    };
    lines.map(anchor).collect()
}

/// The Rust files below `folder`, in order.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no sources in {}", folder.display());
    found
}

/// The files that git tracks or would with the next `git add`; in an unpacked release, which is no checkout, the sources.
fn tracked() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    match listed {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => String::from_utf8(output.stdout)
            .expect("names are UTF-8")
            .split_terminator('\0')
            .map(PathBuf::from)
            .collect(),
        _ => sources(&root().join("crates"))
            .iter()
            .map(|path| path.strip_prefix(root()).expect("below").into())
            .collect(),
    }
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
