//! What the environment puts in the place of single keys of the configuration: `STILLWATCH_<SECTION>_<KEY>`.
//!
//! Promises that every key with one value can be set so (lists and the tables of model servers cannot), with the same
//! checks as in the file, and that a variable which was meant for the configuration and is no key of it is told. Which
//! keys there are is read off the schema, so a new key needs nothing here.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::Value;
use toml::Table;

use crate::config::{BadConfig, Config};

/// What every variable begins with.
pub const BEGINNING: &str = "STILLWATCH_";

/// The rest of the names that have a meaning elsewhere: they are flags of the command line.
const FLAGS: [&str; 8] = ["CONFIG", "DATA", "LISTEN", "ADMIN", "UPSTREAM", "SERVER", "ADMIN_KEY_FILE", "ROLES"];

/// Puts the values of `variables` in their places. Paths among them are relative to the folder that the process is in.
///
/// # Errors
///
/// When a variable names no key, or its value cannot be used.
pub fn place(config: Config, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Config, BadConfig> {
    let mut named = Vec::new();
    for (name, value) in variables {
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(BEGINNING)) else { continue };
        if !FLAGS.contains(&rest) {
            named.push((rest.to_owned(), value));
        }
    }
    if named.is_empty() {
        return Ok(config);
    }
    // In the same order at every start, whatever the order of the environment.
    named.sort();
    let keys = keys();
    let mut table = Table::try_from(&config).map_err(|error| wrong(&error))?;
    let mut placed = Vec::new();
    for (rest, value) in named {
        let Some(key) = keys.get(&rest) else {
            if is_of_others(&rest) {
                continue;
            }
            return Err(field(&rest, "is no key of the configuration with one value"));
        };
        let value = value.to_str().filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| field(&rest, "expected a value, as text; without it, leave it unset"))?;
        let value = key.kinds.read(value).ok_or_else(|| field(&rest, key.kinds.expected()))?;
        let table = match &key.section {
            None => &mut table,
            Some(section) => {
                let section = table.entry(section.clone()).or_insert_with(|| toml::Value::Table(Table::new()));
                let toml::Value::Table(section) = section else { continue };
                section
            }
        };
        table.insert(key.name.clone(), value);
        placed.push(format!("{BEGINNING}{rest}"));
    }
    let mut config = Config::deserialize(toml::Value::Table(table))
        .map_err(|error| wrong(&format!("{}: {}", placed.join(", "), error.to_string().trim_end())))?;
    config.settle(Path::new("environment"))?;
    Ok(config)
}

/// Where a value goes.
#[derive(Debug)]
struct Key {
    section: Option<String>,
    name: String,
    kinds: Kinds,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kinds {
    text: bool,
    number: bool,
    decimal: bool,
    truth: bool,
}

impl Kinds {
    fn read(self, text: &str) -> Option<toml::Value> {
        if self.truth {
            return text.parse().ok().map(toml::Value::Boolean);
        }
        let number = if self.number { text.parse().ok().map(toml::Value::Integer) } else { None };
        let decimal = || if self.decimal { text.parse().ok().map(toml::Value::Float) } else { None };
        number.or_else(decimal).or_else(|| self.text.then(|| toml::Value::String(text.to_owned())))
    }

    fn expected(self) -> &'static str {
        match self {
            Kinds { truth: true, .. } => "expected `true` or `false`",
            Kinds { decimal: true, .. } => "expected a number",
            _ => "expected a whole number",
        }
    }
}

/// Every key with one value, by the end of its variable's name.
fn keys() -> BTreeMap<String, Key> {
    let schema = Config::schema();
    let mut keys = BTreeMap::new();
    for (name, value) in properties(&schema, &schema) {
        if let Some(kinds) = kinds(&schema, value) {
            keys.insert(name.to_uppercase(), Key { section: None, name: name.clone(), kinds });
        }
        for (key, value) in properties(&schema, value) {
            if let Some(kinds) = kinds(&schema, value) {
                let variable = format!("{name}_{key}").to_uppercase();
                keys.insert(variable, Key { section: Some(name.clone()), name: key.clone(), kinds });
            }
        }
    }
    keys
}

/// The keys of a table; none of what is no table.
fn properties<'a>(root: &'a Value, schema: &'a Value) -> Vec<(&'a String, &'a Value)> {
    forms(root, schema).iter().filter_map(|form| form.get("properties").and_then(Value::as_object)).flatten().collect()
}

/// What a value may be, unless it is a table or a list.
fn kinds(root: &Value, schema: &Value) -> Option<Kinds> {
    let mut kinds = Kinds::default();
    for form in forms(root, schema) {
        let types = match form.get("type") {
            Some(Value::Array(types)) => types.iter().collect(),
            one => one.into_iter().collect::<Vec<_>>(),
        };
        for name in types.into_iter().filter_map(Value::as_str) {
            match name {
                "string" => kinds.text = true,
                "integer" => kinds.number = true,
                "number" => kinds.decimal = true,
                "boolean" => kinds.truth = true,
                "null" => {}
                _ => return None,
            }
        }
    }
    (kinds != Kinds::default()).then_some(kinds)
}

/// A schema with everything that it may be instead, references followed. Types of the configuration are not recursive.
fn forms<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let mut found = vec![schema];
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#')) {
        found.extend(root.pointer(target).map(|target| forms(root, target)).unwrap_or_default());
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        let more = schema.get(word).and_then(Value::as_array);
        found.extend(more.into_iter().flatten().flat_map(|form| forms(root, form)));
    }
    found
}

/// Whether others set such a variable and nobody meant the configuration: Kubernetes does, for each service whose name
/// begins with ours, and tests are told things so.
fn is_of_others(rest: &str) -> bool {
    rest.split('_').any(|word| word == "PORT") || rest.ends_with("SERVICE_HOST") || rest.starts_with("TEST_")
}

fn field(rest: &str, reason: &str) -> BadConfig {
    BadConfig::Field {
        path: PathBuf::from("environment"),
        field: format!("{BEGINNING}{rest}"),
        reason: reason.to_owned(),
    }
}

fn wrong(reason: &impl ToString) -> BadConfig {
    BadConfig::Wrong { path: PathBuf::from("environment"), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(variables: &[(&str, &str)]) -> Result<Config, String> {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        place(Config::default(), variables).map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_with_one_value_can_be_set() {
        let names: Vec<String> = keys().into_keys().collect();
        for name in [
            "DATABASE",
            "DETECTION_ALPHA",
            "DETECTION_ENABLED",
            "DETECTION_LATENESS_SECONDS",
            "DRAIN_SECONDS",
            "RECORDING_FILE_BYTES",
            "RECORDING_FILE_SECONDS",
            "RECORDING_KEPT_BYTES",
            "RECORDING_REQUIRED",
            "RECORDING_SYNC",
            "TLS_CERTIFICATE",
            "TLS_CLIENT_AUTHORITIES",
            "TLS_CLIENT_REQUIRED",
            "TLS_KEY",
            "TRUST_ADDRESS",
            "TRUST_ASN",
            "TRUST_COUNTRY",
            "TRUST_JA4",
            "WORKERS",
        ] {
            assert!(names.iter().any(|known| known == name), "`{name}` is none of {names:?}");
        }
        assert!(names.iter().all(|name| !is_of_others(name)), "{names:?}");
        let lists = ["ORIGINS", "UPSTREAM", "TRUST_PEERS", "ALLOW_PATHS", "ALLOW_HEADERS"];
        assert!(lists.iter().all(|list| names.iter().all(|name| name != list)), "{names:?}");
    }

    #[test]
    fn values_are_read_as_their_keys_are() {
        let config = placed(&[
            ("STILLWATCH_DRAIN_SECONDS", "5"),
            ("STILLWATCH_DETECTION_ALPHA", "0.01"),
            ("STILLWATCH_DETECTION_ENABLED", "false"),
            ("STILLWATCH_RECORDING_REQUIRED", "true"),
            ("STILLWATCH_RECORDING_SYNC", "always"),
            ("STILLWATCH_TRUST_JA4", "X-JA4"),
            ("STILLWATCH_TLS_CERTIFICATE", "chain.pem"),
            ("STILLWATCH_TLS_KEY", "key.pem"),
        ])
        .unwrap();
        assert!(config.drain_seconds == 5 && config.recording.required);
        assert!(!config.detection.enabled && config.detection.alpha.to_string() == "0.01");
        assert_eq!(config.recording.sync, crate::config::SyncWhen::Always);
        assert_eq!(config.trust.ja4.unwrap(), "x-ja4");
        assert_eq!(config.tls.unwrap().key, PathBuf::from("key.pem"));
        let seconds = placed(&[("STILLWATCH_RECORDING_SYNC", "7")]).unwrap();
        assert_eq!(seconds.recording.sync, crate::config::SyncWhen::Seconds(7));
    }

    #[test]
    fn what_cannot_be_meant_is_told() {
        for (name, value, expected) in [
            ("STILLWATCH_DRAIN_SECOND", "5", "is no key"),
            ("STILLWATCH_ORIGINS", "https://x", "is no key"),
            ("STILLWATCH_RECORDING", "true", "is no key"),
            ("STILLWATCH_DRAIN_SECONDS", "soon", "expected a whole number"),
            ("STILLWATCH_DRAIN_SECONDS", "-1", "invalid value"),
            ("STILLWATCH_RECORDING_REQUIRED", "yes", "expected `true` or `false`"),
            ("STILLWATCH_WORKERS", "", "expected a value"),
            ("STILLWATCH_RECORDING_SYNC", "3601", "1 to 3600 seconds"),
            ("STILLWATCH_DETECTION_ALPHA", "little", "expected a number"),
            ("STILLWATCH_DETECTION_ALPHA", "0", "expected 0.000001 to 0.5"),
            ("STILLWATCH_DETECTION_ALPHA", "NaN", "expected 0.000001 to 0.5"),
            ("STILLWATCH_DETECTION_LATENESS_SECONDS", "3601", "expected at most 3600"),
            ("STILLWATCH_RECORDING_FILE_BYTES", "0", "expected at least 1"),
            ("STILLWATCH_TLS_KEY", "key.pem", "certificate"),
        ] {
            let error = placed(&[(name, value)]).unwrap_err();
            assert!(error.starts_with("environment: ") && error.contains(expected), "{name}={value}: {error}");
        }
    }

    #[test]
    fn what_is_meant_for_others_is_left_alone() {
        let others = ["SERVICE_HOST", "SERVICE_PORT_HTTP", "PORT", "PORT_8080_TCP", "ADMIN_SERVICE_HOST", "ADMIN_PORT"];
        for name in others.iter().chain(&FLAGS).chain(&["TEST_DATABASE"]) {
            placed(&[(&format!("{BEGINNING}{name}"), "tcp://192.0.2.1:80")]).unwrap();
        }
        placed(&[("PATH", "x"), ("STILLWATCHER", "x")]).unwrap();
    }
}
