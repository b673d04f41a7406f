//! Signatures of models, as OpenSSF model signing defines them: a manifest as an in-toto statement, in a DSSE envelope, in a Sigstore bundle.
//!
//! Promises that what a signature says is read only once it holds: a [`Signed`] manifest was signed by the key that was asked about, is complete and
//! has nothing twice.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::digest::{Algorithm, Digest};
use crate::error::VaultError;
use crate::files::{self, Choice};
use crate::key::{PublicKey, Signs};
use crate::limits::{LEFT_OUT_MAX, PARTS_MAX, SIGNATURE_BYTES_MAX};
use crate::manifest::{Key, Manifest, Method};
use crate::name::Name;

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<Hint>,
    #[serde(default)]
    tlog_entries: Vec<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Hint {
    #[serde(default)]
    hint: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<RawSignature>,
}

#[derive(Serialize, Deserialize)]
struct RawSignature {
    sig: String,
    #[serde(default)]
    keyid: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Predicate {
    serialization: Serialization,
    resources: Vec<Resource>,
}

#[derive(Serialize, Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    #[serde(default)]
    allow_symlinks: bool,
    /// The package `model-signing` writes `1000000000.0`, and itself fails over any that is no integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shard_size: Option<Number>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ignore_paths: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Resource {
    name: String,
    algorithm: String,
    digest: String,
}

/// A manifest that somebody signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed(Manifest);

/// Signs a manifest; the signature file.
///
/// # Errors
///
/// When the key cannot be used.
pub fn sign(manifest: &Manifest, key: &dyn Signs) -> Result<String, VaultError> {
    let Method { algorithm, part_bytes, choice } = &manifest.method;
    let by = resource_algorithm(&manifest.method);
    let resource = |(key, digest): (&Key, &Digest)| Resource {
        name: key.to_string(),
        algorithm: by.clone(),
        digest: digest.to_string(),
    };
    let statement = Statement {
        kind: STATEMENT_TYPE.to_owned(),
        subject: vec![Subject {
            name: manifest.model.clone(),
            digest: [("sha256".to_owned(), manifest.digest().to_string())].into(),
        }],
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate: Predicate {
            serialization: Serialization {
                method: if part_bytes.is_some() { "shards" } else { "files" }.to_owned(),
                hash_type: algorithm.name().to_owned(),
                allow_symlinks: choice.allow_links,
                shard_size: part_bytes.map(|bytes| bytes.get().into()),
                ignore_paths: choice.left_out.iter().map(Name::to_string).collect(),
            },
            resources: manifest.digests().map(resource).collect(),
        },
    };
    let payload = serde_json::to_vec(&statement).map_err(|_| VaultError::Crypto)?;
    let signature = key.sign(&authenticated(&payload))?;
    let bundle = Bundle {
        media_type: MEDIA_TYPE.to_owned(),
        verification_material: Material {
            public_key: Some(Hint { hint: Some(key.public().id()) }),
            tlog_entries: Vec::new(),
        },
        dsse_envelope: Envelope {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![RawSignature { sig: STANDARD.encode(signature), keyid: Some(String::new()) }],
        },
    };
    serde_json::to_string(&bundle).map_err(|_| VaultError::Crypto)
}

/// What a hash of a file, or of a part of one, is called beside it.
fn resource_algorithm(method: &Method) -> String {
    match method.part_bytes {
        None => method.algorithm.name().to_owned(),
        Some(bytes) => format!("{}-sharded-{bytes}", method.algorithm.name()),
    }
}

/// What is signed of a payload: DSSE's pre-authentication encoding.
fn authenticated(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

impl Signed {
    /// What a signature file says, where this key signed it.
    ///
    /// # Errors
    ///
    /// When it is no signature, is by another key, or says something that does not fit together.
    pub fn read(text: &[u8], key: &PublicKey) -> Result<Signed, VaultError> {
        let not = |why: String| VaultError::NotASignature(why);
        if text.len() > SIGNATURE_BYTES_MAX {
            return Err(not(format!("expected at most {SIGNATURE_BYTES_MAX} bytes")));
        }
        let bundle: Bundle = serde_json::from_slice(text).map_err(|error| not(error.to_string()))?;
        if bundle.media_type != MEDIA_TYPE {
            return Err(not(format!("its media type is `{}`; expected `{MEDIA_TYPE}`", shown(&bundle.media_type))));
        }
        let Material { public_key, .. } = bundle.verification_material;
        let Some(Hint { hint }) = public_key else {
            return Err(not("it names no key; signatures by certificates are not checked".to_owned()));
        };
        if hint.is_some_and(|hint| !hint.is_empty() && hint != key.id()) {
            return Err(VaultError::DoesNotHold("another key signed it".to_owned()));
        }
        let Envelope { payload, payload_type, signatures } = bundle.dsse_envelope;
        if payload_type != PAYLOAD_TYPE {
            return Err(not(format!("its payload is `{}`; expected `{PAYLOAD_TYPE}`", shown(&payload_type))));
        }
        let [RawSignature { sig, .. }] = &signatures[..] else {
            return Err(not(format!("it has {} signatures; expected one", signatures.len())));
        };
        let decoded = |text: &str| STANDARD.decode(text).map_err(|_| not("expected base64".to_owned()));
        let (payload, signature) = (decoded(&payload)?, decoded(sig)?);
        if !key.is_signed(&authenticated(&payload), &signature) {
            return Err(VaultError::DoesNotHold("this key did not sign what it says".to_owned()));
        }
        stated(&payload).map(Signed)
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.0
    }

    /// How a manifest of the model at `root` is made that can be compared with this one. What belongs to a repository does not count, and neither does
    /// the signature where it lies in the model.
    #[must_use]
    pub fn method_with(&self, root: &Path, signature: &Path) -> Method {
        let mut method = self.0.method.clone();
        method.choice.left_out.extend(files::of_repositories());
        method.choice.left_out.extend(within(root, signature));
        method
    }
}

/// The name that a file has in the model at `root`, where it lies in it.
#[must_use]
pub fn within(root: &Path, file: &Path) -> Option<Name> {
    let folder = file.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
    let whole = folder.canonicalize().ok()?.join(file.file_name()?);
    Name::of_path(whole.strip_prefix(root.canonicalize().ok()?).ok()?).filter(|name| !name.is_whole())
}

/// The manifest that a statement is.
fn stated(payload: &[u8]) -> Result<Manifest, VaultError> {
    let not = |why: String| VaultError::NotASignature(why);
    let statement: Statement = serde_json::from_slice(payload).map_err(|error| not(error.to_string()))?;
    for (is, expected) in [(&statement.kind, STATEMENT_TYPE), (&statement.predicate_type, PREDICATE_TYPE)] {
        if is != expected {
            return Err(not(format!("it states `{}`; expected `{expected}`", shown(is))));
        }
    }
    let [Subject { name: model, digest }] = &statement.subject[..] else {
        return Err(not(format!("it is about {} models; expected one", statement.subject.len())));
    };
    let Predicate { serialization, resources } = statement.predicate;
    let Serialization { method, hash_type, allow_symlinks, shard_size, ignore_paths } = serialization;
    let algorithm = Algorithm::of(&hash_type)
        .ok_or_else(|| not(format!("its hashes are `{}`; expected sha256 or blake3", shown(&hash_type))))?;
    let part_bytes = match (method.as_str(), shard_size.and_then(|bytes| bytes.as_f64())) {
        ("files", _) => None,
        ("shards", Some(bytes)) if bytes >= 1.0 && bytes.fract() == 0.0 && bytes < 9_007_199_254_740_992.0 => {
            NonZeroU64::new(bytes as u64)
        }
        ("shards", _) => return Err(not("it does not say how large a shard is".to_owned())),
        (other, _) => return Err(not(format!("its method is `{}`; expected files or shards", shown(other)))),
    };
    if ignore_paths.len() > LEFT_OUT_MAX || resources.len() > PARTS_MAX {
        return Err(not(format!("expected at most {LEFT_OUT_MAX} ignored paths and {PARTS_MAX} resources")));
    }
    let odd_name = |text: &str| not(format!("`{}` is no name of a file within a model", shown(text)));
    let left_out = ignore_paths.iter().map(|text| Name::of(text).ok_or_else(|| odd_name(text)));
    let choice = Choice { left_out: left_out.collect::<Result<_, _>>()?, allow_links: allow_symlinks };
    let method = Method { algorithm, part_bytes, choice };
    let expected = resource_algorithm(&method);
    let mut digests = BTreeMap::new();
    let mut last = None;
    for Resource { name, algorithm: by, digest } in &resources {
        let key = Key::of(name, part_bytes.is_some()).ok_or_else(|| odd_name(name))?;
        let digest = Digest::of_hex(digest).filter(|_| *by == expected);
        let digest = digest.ok_or_else(|| not(format!("`{}` has no hash by {expected}", shown(name))))?;
        // In order: the hash over all of them depends on it, and nothing is there twice.
        if last.as_ref().is_some_and(|last| *last >= key) {
            return Err(not(format!("`{}` is out of order, or there twice", shown(name))));
        }
        last = Some(key.clone());
        digests.insert(key, digest);
    }
    let manifest = Manifest { model: model.clone(), method, digests };
    if digest.get("sha256").is_none_or(|root| *root != manifest.digest().to_string()) {
        return Err(not("the hash of the whole is not that of its parts".to_owned()));
    }
    Ok(manifest)
}

/// A text from outside in a message.
fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
