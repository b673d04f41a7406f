//! Which crate may use which. Arrows only point downward, so detection can never learn of the simulator, or of HTTP.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The crates of the workspace, each with those it may use. A new crate needs a line here.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("exchange", &[]),
    ("signals", &["exchange"]),
    ("findings", &["exchange", "signals"]),
    ("detect", &["exchange", "findings", "signals"]),
    ("admin", &["exchange", "gateway", "policy", "store"]),
    ("gateway", &["exchange", "policy", "store"]),
    ("policy", &["exchange"]),
    ("simulator", &["exchange"]),
    ("store", &["exchange", "policy"]),
    ("stillwatch", &["admin", "exchange", "findings", "signals", "detect", "gateway", "policy", "simulator", "store"]),
];

/// Crates that do IO, know HTTP or start threads of their own: not for the core.
const NOT_IN_THE_CORE: [&str; 11] = [
    "anstyle",
    "askama",
    "clap",
    "comfy-table",
    "getrandom",
    "hyper",
    "indicatif",
    "rand",
    "rand_chacha",
    "sqlx",
    "tokio",
];

#[test]
fn every_arrow_is_allowed() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into();
    let crates = dependencies(&[DependencyKind::Normal, DependencyKind::Build]);
    assert_eq!(crates.keys().map(String::as_str).collect::<BTreeSet<_>>(), allowed.keys().copied().collect());
    for (name, dependencies) in &crates {
        for internal in dependencies.iter().filter(|dependency| crates.contains_key(*dependency)) {
            assert!(allowed[name.as_str()].contains(&internal.as_str()), "`{name}` may not use `{internal}`");
        }
    }
}

#[test]
fn tests_may_use_no_more_than_the_crate_and_the_simulator() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into();
    let crates = dependencies(&[DependencyKind::Development]);
    for (name, dependencies) in &crates {
        for internal in dependencies.iter().filter(|dependency| crates.contains_key(*dependency)) {
            let fine = allowed[name.as_str()].contains(&internal.as_str()) || internal == "simulator";
            assert!(fine, "tests of `{name}` may not use `{internal}`");
        }
    }
}

#[test]
fn the_core_uses_nothing_that_does_io() {
    let crates = dependencies(&[DependencyKind::Normal, DependencyKind::Build]);
    for name in super::frame::CORE {
        let wrong: Vec<_> = crates[name].iter().filter(|used| NOT_IN_THE_CORE.contains(&used.as_str())).collect();
        assert!(wrong.is_empty(), "`{name}` may not use {wrong:?}");
    }
}

/// The crates of the workspace with what each depends on, in one of the ways of `kinds`.
fn dependencies(kinds: &[DependencyKind]) -> BTreeMap<String, BTreeSet<String>> {
    let manifest = super::frame::root().join("Cargo.toml");
    let metadata =
        MetadataCommand::new().manifest_path(manifest).no_deps().other_options(["--offline".to_owned()]).exec();
    let packages = metadata.expect("`cargo metadata` runs").packages;
    let names = |package: &cargo_metadata::Package| {
        let used = package.dependencies.iter().filter(|dependency| kinds.contains(&dependency.kind));
        used.map(|dependency| dependency.name.clone()).collect()
    };
    packages.iter().map(|package| (package.name.to_string(), names(package))).collect()
}
