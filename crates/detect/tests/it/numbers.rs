//! The numbers that detection decides by, as one table: `docs/numbers.md`, made from the sources, so that none can change unseen and each says
//! what it is.

#![expect(clippy::expect_used, reason = "everything read here was written here")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates whose numbers decide: what is read of an exchange, and what is made of it.
const CRATES: [&str; 2] = ["detect", "signals"];

#[test]
fn the_table_of_numbers_is_that_of_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let table = table(&root);
    let kept = root.join("docs/numbers.md");
    if fs::read_to_string(&kept).unwrap_or_default() != table {
        let new = root.join("docs/numbers.md.new");
        fs::write(&new, table).expect("docs can be written");
        panic!(
            "a number has changed: compare docs/numbers.md.new with docs/numbers.md, and move it there if that is meant"
        );
    }
}

#[test]
fn every_number_says_what_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let silent: Vec<String> = CRATES
        .iter()
        .flat_map(|name| numbers(&root.join("crates").join(name)))
        .flat_map(|(module, numbers)| {
            let silent = numbers.into_iter().filter(|number| number.doc.is_empty());
            silent.map(move |number| format!("{module}: {}", number.name)).collect::<Vec<_>>()
        })
        .collect();
    assert!(silent.is_empty(), "without a comment that says what it is: {silent:?}");
}

#[test]
fn constants_are_read_with_what_is_said_of_them() {
    let source = "/// As many\n/// as fit.\npub(crate) const MANY_MAX: usize = 1 << 4;\nconst LAW: Law = Law {\n    // Half.\n    share: 0.5,\n};\n\
                  const _: () = ();\n#[cfg(test)]\nmod tests {\n    const NO: u8 = 1;\n}\n";
    let read: Vec<(String, String, String)> =
        constants(source).into_iter().map(|number| (number.name, number.value, number.doc)).collect();
    let text = |of: [&str; 3]| (of[0].to_owned(), of[1].to_owned(), of[2].to_owned());
    assert_eq!(
        read,
        [text(["MANY_MAX", "1 << 4", "As many as fit."]), text(["LAW", "Law { // Half. share: 0.5, }", ""])]
    );
}

struct Number {
    name: String,
    value: String,
    doc: String,
}

fn table(root: &Path) -> String {
    let mut table = "# Numbers\n\nThe numbers that detection decides by, with what is said of each where it stands: of many that is what it is, and not by what measurement it was chosen.\n\
                     They are constants beside what they decide; this table is made from them and compared by a test.\n"
        .to_owned();
    for name in CRATES {
        for (module, numbers) in self::numbers(&root.join("crates").join(name)) {
            write!(table, "\n## `{name}`: `{module}`\n\n| number | value | what it is |\n|---|---|---|\n")
                .expect("a string");
            for Number { name, value, doc } in numbers {
                let (value, doc) = (value.replace('|', "\\|"), doc.replace('|', "\\|"));
                writeln!(table, "| `{name}` | `{value}` | {doc} |").expect("a string");
            }
        }
    }
    table
}

/// The numbers of a crate by module, in the order of modules.
fn numbers(folder: &Path) -> Vec<(String, Vec<Number>)> {
    let sources = folder.join("src");
    let mut files = files(&sources);
    files.sort();
    let read = |path: PathBuf| {
        let module = path.strip_prefix(&sources).expect("a file within").with_extension("").display().to_string();
        (module, constants(&fs::read_to_string(path).expect("a source")))
    };
    files.into_iter().map(read).filter(|(_, numbers)| !numbers.is_empty()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The constants of a source that are numbers, or made of such, before its tests.
fn constants(source: &str) -> Vec<Number> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let (mut numbers, mut doc) = (Vec::new(), Vec::new());
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(said) = line.strip_prefix("///") {
            doc.push(said.trim().to_owned());
            continue;
        }
        let constant = ["const ", "pub const ", "pub(crate) const ", "pub(super) const "]
            .iter()
            .find_map(|start| line.strip_prefix(start));
        let named = constant
            .and_then(|rest| rest.split_once(": "))
            .and_then(|(name, rest)| Some((name, rest.split_once(" =")?.1)));
        if let Some((name, value)) = named {
            let mut value = value.trim().to_owned();
            while !value.ends_with(';') {
                let Some(more) = lines.next() else { break };
                write!(value, " {}", more.trim()).expect("a string");
            }
            // Neither text nor code.
            let is_number = value.contains(|c: char| c.is_ascii_digit()) && !value.contains('"');
            if is_number {
                numbers.push(Number {
                    name: name.to_owned(),
                    value: value.trim().trim_end_matches(';').to_owned(),
                    // Links lead nowhere in a table.
                    doc: doc.join(" ").replace("[`", "`").replace("`]", "`"),
                });
            }
        }
        if !line.starts_with("#[") {
            doc.clear();
        }
    }
    numbers
}
