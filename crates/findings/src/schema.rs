//! The form of findings, for whoever reads them by machine.

use std::borrow::Cow;

use event::Capability;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::{Findings, VERSION};

/// The JSON schema (2020-12) of findings as they are written. Whoever reads them should expect further fields.
#[must_use]
pub fn schema() -> Schema {
    SchemaGenerator::default().into_root_schema_for::<Findings>()
}

/// What findings are that do not say it: they were written before there was another.
pub(crate) fn version() -> u32 {
    VERSION
}

/// The version of findings, where it is one that is read here.
pub(crate) fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        VERSION => Ok(VERSION),
        other => {
            Err(de::Error::custom(format_args!("findings of version {other}, and this build reads version {VERSION}")))
        }
    }
}

/// The name of what a campaign takes.
pub(crate) struct Taken;

impl JsonSchema for Taken {
    fn schema_name() -> Cow<'static, str> {
        "Capability".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "What a campaign takes.", "enum": Capability::ALL.map(Capability::id) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_of_another_version_are_refused_by_name() {
        let written = serde_json::to_value(Findings::default()).unwrap();
        let with = |change: fn(&mut serde_json::Value)| {
            let mut changed = written.clone();
            change(&mut changed);
            serde_json::from_value::<Findings>(changed)
                .map(|findings| findings.version)
                .map_err(|error| error.to_string())
        };
        assert_eq!(with(|_| ()), Ok(VERSION));
        assert_eq!(with(|findings| drop(findings.as_object_mut().unwrap().remove("version"))), Ok(VERSION));
        let newer = with(|findings| findings["version"] = (VERSION + 1).into());
        assert!(newer.is_err_and(|why| why.contains("findings of version 2, and this build reads version 1")));
    }

    #[test]
    fn the_schema_says_what_each_field_is() {
        let schema = serde_json::to_value(schema()).unwrap();
        let campaign = &schema["$defs"]["Campaign"]["properties"];
        assert_eq!(campaign["detected_at"]["$ref"], "#/$defs/Time");
        assert!(schema["$defs"]["Capability"]["enum"].as_array().unwrap().len() == Capability::ALL.len());
        // Every field is described.
        for (name, of) in schema["$defs"].as_object().unwrap() {
            for (field, is) in of["properties"].as_object().into_iter().flatten() {
                assert!(is.get("description").is_some(), "{name}.{field}");
            }
        }
    }
}
