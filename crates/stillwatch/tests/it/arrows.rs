//! Which crate may use which. Arrows only point downward, so detection can never learn of the simulator, or of HTTP.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The crates of the workspace, each with those it may use. A new crate needs a line here.
const ALLOWED: [(&str, &[&str]); 25] = [
    ("exchange", &[]),
    ("event", &["exchange"]),
    ("signals", &["event", "exchange"]),
    ("findings", &["event", "exchange"]),
    ("drill", &["exchange"]),
    ("detect", &["event", "exchange", "findings", "signals"]),
    ("watch", &["detect", "event", "exchange", "findings", "signals", "store"]),
    ("audit", &["exchange", "verify"]),
    ("alert", &["exchange", "store", "watch"]),
    ("admin", &["alert", "exchange", "findings", "gateway", "policy", "store", "verify", "watch"]),
    (
        "console",
        &[
            "admin", "exchange", "findings", "gateway", "lake", "ledger", "playbook", "policy", "report", "verify",
            "watch",
        ],
    ),
    ("gateway", &["exchange", "policy", "store"]),
    ("sensor", &["exchange", "gateway", "policy", "store", "watch"]),
    ("lake", &["exchange", "store", "verify"]),
    ("ledger", &["store", "verify"]),
    ("playbook", &["exchange"]),
    ("policy", &["exchange"]),
    ("report", &["audit", "drill", "exchange", "findings", "policy", "signals"]),
    ("seal", &["store", "verify"]),
    ("evidence", &["exchange", "findings", "verify"]),
    ("simulator", &["exchange"]),
    ("store", &["exchange", "policy"]),
    ("vault", &["seal", "store", "verify"]),
    ("verify", &[]),
    (
        "stillwatch",
        &[
            "admin",
            "alert",
            "audit",
            "console",
            "event",
            "evidence",
            "exchange",
            "findings",
            "signals",
            "detect",
            "drill",
            "gateway",
            "lake",
            "ledger",
            "playbook",
            "policy",
            "report",
            "seal",
            "sensor",
            "simulator",
            "store",
            "vault",
            "verify",
            "watch",
        ],
    ),
];

/// What tests may use besides: whoever makes what is checked.
const ALLOWED_IN_TESTS: [(&str, &str); 2] = [("verify", "ledger"), ("console", "store")];

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
fn tests_may_use_no_more_than_the_crate_the_simulator_and_what_is_named() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into();
    let crates = dependencies(&[DependencyKind::Development]);
    for (name, dependencies) in &crates {
        for internal in dependencies.iter().filter(|dependency| crates.contains_key(*dependency)) {
            let may = ALLOWED_IN_TESTS.contains(&(name.as_str(), internal.as_str())) || internal == "simulator";
            let fine = may || allowed[name.as_str()].contains(&internal.as_str());
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

#[test]
fn no_two_modules_use_each_other() {
    for (name, _) in ALLOWED {
        let uses = modules(name);
        let circles: Vec<_> = uses.keys().filter(|module| reached(&uses, module).contains(module.as_str())).collect();
        assert!(uses.len() >= 3 && circles.is_empty(), "modules of `{name}` in a circle: {circles:?}");
    }
}

/// The modules of a crate but its root, each with those that its code outside tests names.
fn modules(name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let source = super::frame::root().join("crates").join(name).join("src");
    let mut code: BTreeMap<String, String> = BTreeMap::new();
    for file in super::frame::sources(&source) {
        let path = file.strip_prefix(&source).expect("a file of the crate").with_extension("");
        let module = path.to_str().expect("names are UTF-8").replace(std::path::MAIN_SEPARATOR, "::");
        let text = super::frame::read(&file);
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.insert(module.trim_end_matches("::mod").to_owned(), lines.collect::<Vec<_>>().join("\n"));
    }
    code.remove("lib");
    let known: BTreeSet<String> = code.keys().cloned().collect();
    let named = |module: &String, code: &String| {
        let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
        let beside = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}::{name}") };
        let mut named: BTreeSet<String> = paths(code, "crate::").into_iter().collect();
        named.extend(paths(code, "super::").iter().map(|path| beside(path)));
        // A module names those below it without more.
        let below = |other: &&String| {
            let name = other.strip_prefix(&format!("{module}::")).filter(|name| !name.contains("::"));
            name.is_some_and(|name| code.contains(&format!("{name}::")))
        };
        let mut modules: BTreeSet<String> = named.iter().filter_map(|path| longest(path, &known)).collect();
        modules.extend(known.iter().filter(below).cloned());
        modules.remove(module);
        modules
    };
    code.iter().map(|(module, code)| (module.clone(), named(module, code))).collect()
}

/// The paths that follow `root` in the code, those in braces one by one.
fn paths(code: &str, root: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for rest in code.split(root).skip(1) {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len());
        let (path, after) = rest.split_at(end);
        match after.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            Some((inside, _)) => paths.extend(inside.split(',').map(|name| format!("{path}{}", name.trim()))),
            None => paths.push(path.to_owned()),
        }
    }
    paths
}

/// The longest beginning of a path that is a module.
fn longest(path: &str, known: &BTreeSet<String>) -> Option<String> {
    let mut path = path.trim_end_matches(':');
    loop {
        if known.contains(path) {
            return Some(path.to_owned());
        }
        path = path.rsplit_once("::")?.0;
    }
}

/// All modules that a module uses, by way of others too.
fn reached<'m>(uses: &'m BTreeMap<String, BTreeSet<String>>, from: &'m str) -> BTreeSet<&'m str> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        next.extend(uses.get(module).into_iter().flatten().map(String::as_str).filter(|used| seen.insert(*used)));
    }
    seen
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
