//! The page of the API: every path with what it takes and answers, and a form by which it is tried.

use std::collections::BTreeMap;
use std::sync::Arc;

use admin::openapi::document;
use admin::person::Role;
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::routing::get;
use serde_json::{Map, Value, json};

use crate::api;
use crate::context::Console;
use crate::fault::Page;
use crate::frame::{Frame, drawn};
use crate::route::{Needs, Route};
use crate::session::Visit;

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get("/api", Needs::Role(Role::Viewer), get(reference))]
}

#[derive(Template)]
#[template(path = "reference.html")]
struct Reference {
    frame: Frame,
    groups: BTreeMap<String, Vec<Operation>>,
}

/// A path with one method.
struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    needs_credential: bool,
    parameters: Vec<Field>,
    /// The fields of what is sent, and an example of it.
    body: Option<(Vec<Field>, String)>,
    answers: Vec<(String, String)>,
}

/// Something that is sent.
struct Field {
    name: String,
    kind: String,
    is_needed: bool,
    /// In the path, else in the query or the body.
    is_in_path: bool,
    what: String,
}

async fn reference(State(console): State<Arc<Console>>, Extension(visit): Extension<Visit>) -> Page {
    let document = document(&api::endpoints(&console));
    let types = Types(document.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default());
    let mut groups: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    for (path, methods) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let group = text(operation.pointer("/tags/0"));
            groups.entry(group).or_default().push(types.operation(path, method, operation));
        }
    }
    drawn(&Reference { frame: Frame::new(&console, &visit, "API", "/api"), groups })
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The types that the document names.
struct Types(Map<String, Value>);

impl Types {
    fn operation(&self, path: &str, method: &str, operation: &Value) -> Operation {
        let parameters = operation.get("parameters").and_then(Value::as_array);
        let parameter = |parameter: &Value| Field {
            name: text(parameter.get("name")),
            kind: parameter.get("schema").map(|schema| self.kind(schema)).unwrap_or_default(),
            is_needed: parameter.get("required") == Some(&json!(true)),
            is_in_path: parameter.get("in") == Some(&json!("path")),
            what: text(parameter.get("description")),
        };
        let body = operation.pointer("/requestBody/content/application~1json/schema").map(|schema| self.whole(schema));
        let answers = operation.get("responses").and_then(Value::as_object).into_iter().flatten();
        Operation {
            id: text(operation.get("operationId")),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(operation.get("summary")),
            needs_credential: operation.get("security").is_none(),
            parameters: parameters.into_iter().flatten().map(parameter).collect(),
            body: body.map(|schema| {
                let example = serde_json::to_string_pretty(&self.example(schema, 0)).unwrap_or_default();
                (self.fields(schema), example)
            }),
            answers: answers
                .map(|(status, answer)| {
                    let status = if status == "default" { "else" } else { status };
                    (status.to_owned(), text(answer.get("description")))
                })
                .collect(),
        }
    }

    /// What a schema stands for, where it only names it.
    fn whole<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
        name.and_then(|name| self.0.get(name)).unwrap_or(schema)
    }

    fn fields(&self, schema: &Value) -> Vec<Field> {
        let needed = needed(schema);
        let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        fields
            .map(|(name, schema)| {
                let own = text(schema.get("description"));
                Field {
                    name: name.clone(),
                    kind: self.kind(schema),
                    is_needed: needed.contains(&name.as_str()),
                    is_in_path: false,
                    what: if own.is_empty() { text(self.whole(schema).get("description")) } else { own },
                }
            })
            .collect()
    }

    /// A schema in a few words.
    fn kind(&self, schema: &Value) -> String {
        let schema = self.whole(schema);
        let list = |name: &str| schema.get(name).and_then(Value::as_array);
        if let Some(any) = list("anyOf").or_else(|| list("oneOf")) {
            let kinds: Vec<String> = any.iter().map(|schema| self.kind(schema)).collect();
            return kinds.join(" or ");
        }
        if let Some(values) = list("enum") {
            return values.iter().map(plain).collect::<Vec<_>>().join(", ");
        }
        if let Some(value) = schema.get("const") {
            return plain(value);
        }
        if let Some(items) = schema.get("items") {
            return format!("list of {}", self.kind(items));
        }
        match schema.get("type") {
            Some(Value::String(kind)) if kind == "object" => {
                let fields: Vec<&str> = schema
                    .get("properties")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.as_str())
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
            Some(Value::String(kind)) if kind == "string" && schema.get("format") == Some(&json!("date-time")) => {
                "time".to_owned()
            }
            Some(Value::String(kind)) => kind.clone(),
            Some(Value::Array(kinds)) => kinds.iter().map(plain).collect::<Vec<_>>().join(" or "),
            _ => "anything".to_owned(),
        }
    }

    /// What somebody may begin with: everything that is needed.
    fn example(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.whole(schema);
        if let Some(value) = schema.get("default").or_else(|| schema.get("const")) {
            return value.clone();
        }
        let first = |name: &str| schema.get(name).and_then(Value::as_array).and_then(|list| list.first());
        if let Some(value) = first("enum") {
            return value.clone();
        }
        // A schema that holds itself has no end.
        if depth > 6 {
            return Value::Null;
        }
        if let Some(any) = first("oneOf").or_else(|| first("anyOf")) {
            return self.example(any, depth + 1);
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let kind = schema.get("type").map(|kind| kind.as_array().and_then(|kinds| kinds.first()).unwrap_or(kind));
        match kind.and_then(Value::as_str) {
            Some("object") => {
                let needed = needed(schema);
                let fields = properties.into_iter().flatten().filter(|(name, _)| needed.contains(&name.as_str()));
                Value::Object(fields.map(|(name, field)| (name.clone(), self.example(field, depth + 1))).collect())
            }
            Some("array") => json!([]),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
            Some("boolean") => json!(false),
            Some("string") => json!("…"),
            _ => Value::Null,
        }
    }
}

fn needed(schema: &Value) -> Vec<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_has_what_is_needed() {
        let types = Types(
            json!({"Size": {"oneOf": [{"const": "small"}, {"const": "large"}]}, "Own": {"type": "object", "required": ["own"], "properties": {"own": {"$ref": "#/components/schemas/Own"}}}})
                .as_object()
                .cloned()
                .unwrap(),
        );
        let schema = json!({"type": "object", "required": ["name", "size", "at"], "properties": {
            "name": {"type": "string"}, "size": {"$ref": "#/components/schemas/Size"}, "more": {"type": "string"},
            "at": {"type": ["integer", "null"], "minimum": 3},
        }});
        assert_eq!(types.example(&schema, 0), json!({"name": "…", "size": "small", "at": 3}));
        assert_eq!(types.kind(&schema["properties"]["size"]), "small or large");
        assert!(types.example(&json!({"$ref": "#/components/schemas/Own"}), 0).is_object(), "it has an end");
    }
}
