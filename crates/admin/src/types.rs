//! The types that the API reads and writes, as JSON schemas.
//!
//! What is read may leave out what has a default and has no further fields; what is written has every field that is always there and may get
//! further ones. So each type is described apart, and one that is both is called `…Sent` where it is read, if that makes a difference.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// What describes a type.
pub(crate) type Described = fn(&mut SchemaGenerator) -> Schema;

/// The types that were described so far.
pub(crate) struct Types {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Types {
    pub(crate) fn new() -> Types {
        let settings = |place: &str| {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = place.to_owned().into();
            settings
        };
        Types {
            read: settings(READ).for_deserialize().into_generator(),
            written: settings(WRITTEN).for_serialize().into_generator(),
        }
    }

    /// What refers to a type that is read.
    pub(crate) fn read(&mut self, described: Described) -> Value {
        described(&mut self.read).to_value()
    }

    /// What refers to a type that is written.
    pub(crate) fn written(&mut self, described: Described) -> Value {
        described(&mut self.written).to_value()
    }

    /// All of them by their names, which what refers to them in `paths` has from then on.
    pub(crate) fn into_schemas(mut self, paths: &mut Map<String, Value>) -> Map<String, Value> {
        let mut schemas = self.written.take_definitions(true);
        let read = self.read.take_definitions(true);
        let same = |name: &str, schema: &Value| schemas.get(name).is_none_or(|written| alike(written) == alike(schema));
        // One that refers to one with a name of its own needs one as well.
        let mut own: Vec<&String> =
            read.iter().filter(|(name, schema)| !same(name, schema)).map(|(name, _)| name).collect();
        loop {
            let refers =
                |schema: &Value| own.iter().any(|name| schema.to_string().contains(&format!("\"#{READ}/{name}\"")));
            let more: Vec<&String> = read
                .iter()
                .filter(|(name, schema)| schemas.contains_key(*name) && !own.contains(name) && refers(schema))
                .map(|(name, _)| name)
                .collect();
            if more.is_empty() {
                break;
            }
            own.extend(more);
        }
        let names: BTreeMap<String, String> = read
            .keys()
            .map(|name| (name.clone(), if own.contains(&name) { format!("{name}Sent") } else { name.clone() }))
            .collect();
        for (name, mut schema) in read {
            rename(&mut schema, &names);
            if let Some(name) = names.get(&name) {
                schemas.entry(name.clone()).or_insert(schema);
            }
        }
        paths.values_mut().for_each(|path| rename(path, &names));
        schemas
    }
}

/// Where types stand in the document.
const WRITTEN: &str = "/components/schemas";
/// Where those that are read stand until all are known.
const READ: &str = "/read";

/// A schema, whoever describes it.
fn alike(schema: &Value) -> String {
    schema.to_string().replace(&format!("\"#{READ}/"), &format!("\"#{WRITTEN}/"))
}

fn rename(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                match value {
                    Value::String(to) if field == "$ref" => {
                        let name = to.strip_prefix(&format!("#{READ}/")).and_then(|name| names.get(name));
                        if let Some(name) = name {
                            *to = format!("#{WRITTEN}/{name}");
                        }
                    }
                    value => rename(value, names),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        _ => {}
    }
}
