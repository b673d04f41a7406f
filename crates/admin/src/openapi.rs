//! The document of the API (OpenAPI 3.1), made from the endpoints that there are and from the types that they read and write.

use serde_json::{Map, Value, json};

use crate::endpoint::{Endpoint, ROOT};
use crate::types::Types;

/// The document of `endpoints`.
#[must_use]
pub fn document(endpoints: &[Endpoint]) -> Value {
    let mut types = Types::new();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let operation = endpoint.operation(&mut types);
        let methods = paths.entry(endpoint.path()).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(endpoint.method().as_str().to_lowercase(), operation);
        }
    }
    paths.sort_keys();
    let mut schemas = types.into_schemas(&mut paths);
    schemas.insert("Problem".to_owned(), problem());
    schemas.sort_keys();
    schemas.values_mut().for_each(plain);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Stillwatch admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": format!("Everything under {ROOT} needs the admin credential as a bearer token; it is in the file `admin-key` of the data folder. \
                Lists come in parts, and `next` of one is `after` of the next. Whoever reads answers should expect further fields."),
        },
        "security": [{"admin": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"admin": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
        },
    })
}

/// Descriptions without the links of the code's own documentation.
fn plain(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if name == "description" => *text = text.replace("[`", "`").replace("`]", "`"),
                    field => plain(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {"error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "description": "A word for programs"},
                "message": {"type": "string", "description": "What is wrong, and what was expected, for people"},
                "problems": {"type": "array", "description": "Of policies that cannot be used: everything that is wrong", "items": {
                    "type": "object",
                    "required": ["line", "column", "message"],
                    "properties": {"line": {"type": "integer"}, "column": {"type": "integer"}, "message": {"type": "string"}},
                }},
            },
        }},
    })
}
