//! A path of the API with one method: what it takes, what it answers, and who answers.
//!
//! One list of endpoints makes both the router and the document ([`crate::openapi`]), so that neither tells of what the other has not.

use std::fmt;

use axum::http::{Method, StatusCode};
use axum::routing::MethodRouter;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::limits::PAGE_MAX;
use crate::types::{Described, Types};

/// Below this stands everything that needs the admin credential.
pub(crate) const ROOT: &str = "/api/v1";

/// A path with one method.
pub struct Endpoint<S = ()> {
    method: Method,
    path: &'static str,
    summary: &'static str,
    is_open: bool,
    query: Vec<Value>,
    body: Option<Body>,
    answers: Vec<Told>,
    handler: MethodRouter<S>,
}

/// What a request brings.
struct Body {
    schema: Described,
    is_needed: bool,
}

/// An answer that is told of.
struct Told {
    status: StatusCode,
    what: &'static str,
    content: Content,
}

/// What is in an answer.
enum Content {
    /// Nothing.
    None,
    /// Text of this type.
    Text(&'static str),
    /// What is wrong.
    Problem,
    /// Something of a type.
    Of(Described),
    /// A part of a list, by its name, and what it belongs to, by its name.
    Part(&'static str, Described, Option<(&'static str, Described)>),
}

impl<S: Clone + Send + Sync + 'static> Endpoint<S> {
    fn new(method: Method, path: &'static str, summary: &'static str, handler: MethodRouter<S>) -> Endpoint<S> {
        assert!(path.starts_with('/'), "{path}");
        let (query, answers) = (Vec::new(), Vec::new());
        Endpoint { method, path, summary, is_open: false, query, body: None, answers, handler }
    }

    /// One that shows something. Its path is that below [`ROOT`].
    pub fn get(path: &'static str, summary: &'static str, handler: MethodRouter<S>) -> Endpoint<S> {
        Endpoint::new(Method::GET, path, summary, handler)
    }

    /// One that does or makes something.
    pub fn post(path: &'static str, summary: &'static str, handler: MethodRouter<S>) -> Endpoint<S> {
        Endpoint::new(Method::POST, path, summary, handler)
    }

    /// One that puts something in its place.
    pub fn put(path: &'static str, summary: &'static str, handler: MethodRouter<S>) -> Endpoint<S> {
        Endpoint::new(Method::PUT, path, summary, handler)
    }

    /// One that changes a part.
    pub fn patch(path: &'static str, summary: &'static str, handler: MethodRouter<S>) -> Endpoint<S> {
        Endpoint::new(Method::PATCH, path, summary, handler)
    }

    /// One that takes something away.
    pub fn delete(path: &'static str, summary: &'static str, handler: MethodRouter<S>) -> Endpoint<S> {
        Endpoint::new(Method::DELETE, path, summary, handler)
    }

    /// It needs no credential, and its path is the whole one.
    #[must_use]
    pub fn open(self) -> Endpoint<S> {
        Endpoint { is_open: true, ..self }
    }

    /// What may stand in its query: the fields of `T`.
    #[must_use]
    pub fn query<T: JsonSchema>(mut self) -> Endpoint<S> {
        self.query.extend(parameters::<T>());
        self
    }

    /// What a request has to bring.
    #[must_use]
    pub fn takes<T: JsonSchema>(mut self) -> Endpoint<S> {
        self.body = Some(Body { schema: SchemaGenerator::subschema_for::<T>, is_needed: true });
        self
    }

    /// What a request may bring.
    #[must_use]
    pub fn may_take<T: JsonSchema>(mut self) -> Endpoint<S> {
        self.body = Some(Body { schema: SchemaGenerator::subschema_for::<T>, is_needed: false });
        self
    }

    fn told(mut self, status: StatusCode, what: &'static str, content: Content) -> Endpoint<S> {
        self.answers.push(Told { status, what, content });
        self
    }

    /// What it answers.
    #[must_use]
    pub fn gives<T: JsonSchema>(self, status: StatusCode, what: &'static str) -> Endpoint<S> {
        self.told(status, what, Content::Of(SchemaGenerator::subschema_for::<T>))
    }

    /// A part of a list, which is asked for by `after` and `limit`.
    #[must_use]
    pub fn lists<T: JsonSchema>(self, name: &'static str, what: &'static str) -> Endpoint<S> {
        self.part(what, Content::Part(name, SchemaGenerator::subschema_for::<T>, None))
    }

    /// Something with a part of a list that belongs to it.
    #[must_use]
    pub fn lists_of<O: JsonSchema, T: JsonSchema>(
        self,
        (owner, name): (&'static str, &'static str),
        what: &'static str,
    ) -> Endpoint<S> {
        let owner = Some((owner, SchemaGenerator::subschema_for::<O> as Described));
        self.part(what, Content::Part(name, SchemaGenerator::subschema_for::<T>, owner))
    }

    fn part(mut self, what: &'static str, content: Content) -> Endpoint<S> {
        let limit = json!({"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_MAX});
        self.query.extend([
            parameter("after", &json!({"type": "string"}), "Begin behind this one: `next` of the part before"),
            parameter("limit", &limit, "How many at most"),
        ]);
        self.told(StatusCode::OK, what, content)
    }

    /// It answers with nothing but that it is done.
    #[must_use]
    pub fn does(self, what: &'static str) -> Endpoint<S> {
        self.told(StatusCode::NO_CONTENT, what, Content::None)
    }

    /// It answers with a text.
    #[must_use]
    pub fn says(self, kind: &'static str, what: &'static str) -> Endpoint<S> {
        self.told(StatusCode::OK, what, Content::Text(kind))
    }

    /// How it may fail, besides the ways in which every one does.
    #[must_use]
    pub fn fails(self, status: StatusCode, what: &'static str) -> Endpoint<S> {
        self.told(status, what, Content::Problem)
    }

    /// The same with its state.
    #[must_use]
    pub fn with_state(self, state: S) -> Endpoint {
        let Endpoint { method, path, summary, is_open, query, body, answers, handler } = self;
        Endpoint { method, path, summary, is_open, query, body, answers, handler: handler.with_state(state) }
    }
}

impl Endpoint {
    /// Its path with what answers, for a router; below [`ROOT`] unless it is open.
    pub(crate) fn into_route(self) -> (&'static str, MethodRouter) {
        (self.path, self.handler)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Its whole path, as the document names it.
    #[must_use]
    pub fn path(&self) -> String {
        if self.is_open { self.path.to_owned() } else { format!("{ROOT}{}", self.path) }
    }

    /// The operation as OpenAPI writes it.
    pub(crate) fn operation(&self, types: &mut Types) -> Value {
        let names = || self.path.split('/').map(|part| part.trim_matches(['{', '}'])).filter(|part| !part.is_empty());
        let group = names().next().filter(|_| !self.is_open).unwrap_or("health");
        let id = format!("{}_{}", self.method.as_str().to_lowercase(), names().collect::<Vec<_>>().join("_"));
        let mut operation = json!({"operationId": id, "tags": [group], "summary": self.summary});
        let mut set = |name: &str, value: Value| {
            if let Some(operation) = operation.as_object_mut() {
                operation.insert(name.to_owned(), value);
            }
        };
        let mut parameters: Vec<Value> = named(self.path)
            .map(|name| {
                // That of a certificate is a SHA-256 in base64url.
                let schema = match name {
                    "thumbprint" => json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"}),
                    _ => json!({"type": "string", "minLength": 1}),
                };
                json!({"name": name, "in": "path", "required": true, "schema": schema})
            })
            .collect();
        parameters.extend(self.query.iter().cloned());
        if !parameters.is_empty() {
            set("parameters", json!(parameters));
        }
        if let Some(Body { schema, is_needed }) = &self.body {
            let content = json!({"application/json": {"schema": types.read(*schema)}});
            set("requestBody", json!({"required": is_needed, "content": content}));
        }
        let mut responses = Map::new();
        for told in &self.answers {
            responses.insert(told.status.as_str().to_owned(), told.described(types));
        }
        if self.is_open {
            set("security", json!([]));
        } else {
            responses.insert("default".to_owned(), problem("What is wrong, and what was expected"));
        }
        set("responses", Value::Object(responses));
        operation
    }
}

impl<S> fmt::Debug for Endpoint<S> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.method, self.path)
    }
}

impl Told {
    fn described(&self, types: &mut Types) -> Value {
        let of = |kind: &str, schema: Value| json!({"description": self.what, "content": {kind: {"schema": schema}}});
        match &self.content {
            Content::None => json!({"description": self.what}),
            Content::Text(kind) => of(kind, json!({"type": "string"})),
            Content::Problem => problem(self.what),
            Content::Of(schema) => of("application/json", types.written(*schema)),
            Content::Part(name, schema, owner) => {
                let items = json!({"type": "array", "items": types.written(*schema)});
                let next =
                    json!({"type": ["string", "null"], "description": "Where the next part begins; null at the end"});
                let mut fields = Map::from_iter([((*name).to_owned(), items), ("next".to_owned(), next)]);
                if let Some((owner, schema)) = owner {
                    fields.insert((*owner).to_owned(), types.written(*schema));
                }
                let needed: Vec<String> = fields.keys().cloned().collect();
                let part = json!({"type": "object", "properties": fields, "required": needed});
                of("application/json", part)
            }
        }
    }
}

fn problem(what: &str) -> Value {
    json!({"description": what, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}})
}

/// The parameters in a path.
fn named(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(name: &str, schema: &Value, what: &str) -> Value {
    json!({"name": name, "in": "query", "description": what, "schema": schema})
}

/// The fields of a type as parameters of a query.
fn parameters<T: JsonSchema>() -> Vec<Value> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    let fields = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let needed: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    fields
        .into_iter()
        .map(|(name, mut schema)| {
            let what = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let what = what.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
            let mut parameter = parameter(&name, &schema, &what);
            if let Some(parameter) = parameter.as_object_mut().filter(|_| needed.contains(&name.as_str())) {
                parameter.insert("required".to_owned(), json!(true));
            }
            parameter
        })
        .collect()
}
