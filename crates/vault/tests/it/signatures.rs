//! Who signed what, with keys that OpenSSL made.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use vault::limits::{KEY_BYTES_MAX, LEFT_OUT_MAX, SIGNATURE_BYTES_MAX};
use vault::signature::within;
use vault::{Algorithm, FileKey, Manifest, Name, Progress, PublicKey, Signed, Signs as _, sign};

use crate::models::{method, model};

fn openssl(words: &str, folder: &Path) -> Vec<u8> {
    let output = Command::new("openssl").args(words.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A key on a curve, as OpenSSL makes it, and its public half.
fn key(curve: &str) -> (FileKey, PublicKey) {
    let folder = tempfile::tempdir().unwrap();
    openssl(&format!("ecparam -name {curve} -genkey -out key.pem"), folder.path());
    let public = openssl("ec -in key.pem -pubout", folder.path());
    let old = fs::read(folder.path().join("key.pem")).unwrap();
    let new = openssl("pkcs8 -topk8 -nocrypt -in key.pem", folder.path());
    let public = PublicKey::of_pem(&public).unwrap();
    for text in [old, new.clone()] {
        assert_eq!(FileKey::of_pem(&text).unwrap().public(), &public);
    }
    (FileKey::of_pem(&new).unwrap(), public)
}

fn manifest(part_bytes: Option<u64>) -> Manifest {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("ours");
    model(&root);
    let mut method = method(Algorithm::Sha256, part_bytes);
    method.choice.left_out = vec![Name::of("model.sig").unwrap()];
    Manifest::of(&root, &method, 2, &Progress::default()).unwrap()
}

#[test]
fn what_a_key_signed_is_read_as_it_was_by_that_key_only() {
    for curve in ["prime256v1", "secp384r1", "secp521r1"] {
        let (own, public) = key(curve);
        let (_, other) = key(curve);
        for part_bytes in [None, Some(1_000_000)] {
            let manifest = manifest(part_bytes);
            let text = sign(&manifest, &own).unwrap();
            assert_eq!(Signed::read(text.as_bytes(), &public).unwrap().manifest(), &manifest, "{curve}");
            let told = Signed::read(text.as_bytes(), &other).unwrap_err().to_string();
            assert!(told.contains("another key"), "{told}");
        }
    }
}

#[test]
fn the_public_half_is_written_as_openssl_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    openssl("ecparam -name secp521r1 -genkey -out key.pem", folder.path());
    let public = openssl("ec -in key.pem -pubout", folder.path());
    assert_eq!(PublicKey::of_pem(&public).unwrap().to_pem().into_bytes(), public);
}

#[test]
fn openssl_checks_what_was_signed() {
    let folder = tempfile::tempdir().unwrap();
    let (own, public) = key("prime256v1");
    let bundle: Value = serde_json::from_str(&sign(&manifest(None), &own).unwrap()).unwrap();
    let envelope = &bundle["dsseEnvelope"];
    let bytes = |text: &Value| STANDARD.decode(text.as_str().unwrap()).unwrap();
    let payload = bytes(&envelope["payload"]);
    let head = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len());
    fs::write(folder.path().join("text"), [head.as_bytes(), &payload].concat()).unwrap();
    fs::write(folder.path().join("signature"), bytes(&envelope["signatures"][0]["sig"])).unwrap();
    fs::write(folder.path().join("public.pem"), public.to_pem()).unwrap();
    openssl("dgst -sha256 -verify public.pem -signature signature text", folder.path());
}

/// The signature of a payload that was changed, by whoever has the key.
fn signed_anew(text: &str, own: &FileKey, change: impl FnOnce(&mut Value)) -> String {
    let mut bundle: Value = serde_json::from_str(text).unwrap();
    let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let mut statement: Value = serde_json::from_slice(&payload).unwrap();
    change(&mut statement);
    let payload = serde_json::to_vec(&statement).unwrap();
    let head = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len());
    let signature = own.sign(&[head.as_bytes(), &payload].concat()).unwrap();
    bundle["dsseEnvelope"]["payload"] = json!(STANDARD.encode(&payload));
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = json!(STANDARD.encode(signature));
    bundle.to_string()
}

/// A change of a statement.
type Change = Box<dyn Fn(&mut Value)>;

#[test]
fn a_signed_statement_that_does_not_fit_together_says_nothing() {
    let (own, public) = key("prime256v1");
    let text = sign(&manifest(None), &own).unwrap();
    assert!(Signed::read(signed_anew(&text, &own, |_| ()).as_bytes(), &public).is_ok());
    let resource = |name: &str| json!({"name": name, "algorithm": "sha256", "digest": "00".repeat(32)});
    let changes: Vec<(&str, Change)> = vec![
        ("no subject", Box::new(|it| it["subject"] = json!([]))),
        ("another whole", Box::new(|it| it["subject"][0]["digest"]["sha256"] = json!("00".repeat(32)))),
        ("another type", Box::new(|it| it["_type"] = json!("x"))),
        ("another predicate", Box::new(|it| it["predicateType"] = json!("https://model_signing/Digests/v0.1"))),
        ("another hash", Box::new(|it| it["predicate"]["serialization"]["hash_type"] = json!("md5"))),
        ("another method", Box::new(|it| it["predicate"]["serialization"]["method"] = json!("x"))),
        ("shards of no size", Box::new(|it| it["predicate"]["serialization"]["method"] = json!("shards"))),
        ("outside", Box::new(move |it| it["predicate"]["resources"] = json!([resource("../a")]))),
        ("twice", Box::new(move |it| it["predicate"]["resources"] = json!([resource("a"), resource("a")]))),
        ("no order", Box::new(move |it| it["predicate"]["resources"] = json!([resource("b"), resource("a")]))),
        ("left out outside", Box::new(|it| it["predicate"]["serialization"]["ignore_paths"] = json!(["/"]))),
        ("a cut hash", Box::new(|it| it["predicate"]["resources"][0]["digest"] = json!("00"))),
        ("another hash of one", Box::new(|it| it["predicate"]["resources"][0]["algorithm"] = json!("blake3"))),
    ];
    for (what, change) in changes {
        assert!(Signed::read(signed_anew(&text, &own, change).as_bytes(), &public).is_err(), "{what}");
    }
    let left_out = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("f{n}")).collect();
        let text = signed_anew(&text, &own, |it| it["predicate"]["serialization"]["ignore_paths"] = json!(names));
        Signed::read(text.as_bytes(), &public).is_ok()
    };
    assert!(left_out(LEFT_OUT_MAX) && !left_out(LEFT_OUT_MAX + 1));
    // As `model-signing` writes it.
    let parts = sign(&manifest(Some(1_000_000)), &own).unwrap();
    let whole = signed_anew(&parts, &own, |it| it["predicate"]["serialization"]["shard_size"] = json!(1_000_000.0));
    assert!(Signed::read(whole.as_bytes(), &public).is_ok());
    let others = signed_anew(&parts, &own, |it| it["predicate"]["serialization"]["shard_size"] = json!(2_000_000));
    assert!(Signed::read(others.as_bytes(), &public).is_err());
}

#[test]
fn no_bit_of_a_signature_may_be_another() {
    let (own, public) = key("prime256v1");
    let manifest = manifest(None);
    let text = sign(&manifest, &own).unwrap().into_bytes();
    for at in 0..text.len() {
        let mut changed = text.clone();
        changed[at] ^= 1;
        // What names a field that is not looked at may be another; what is said may not.
        assert!(Signed::read(&changed, &public).map_or(true, |read| read.manifest() == &manifest), "byte {at}");
        assert!(Signed::read(&text[..at], &public).is_err(), "{at} bytes");
    }
    let bytes = |count: usize| Signed::read(&vec![b' '; count], &public).unwrap_err().to_string();
    assert!(!bytes(SIGNATURE_BYTES_MAX).contains("at most") && bytes(SIGNATURE_BYTES_MAX + 1).contains("at most"));
}

#[test]
fn other_keys_are_refused_and_why_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let rsa = openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", at);
    let curve = openssl("ecparam -name secp256k1 -genkey -noout", at);
    let locked = openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:x", at);
    for (text, expected) in [(&rsa, "P-256"), (&curve, "P-256"), (&locked, "passphrase"), (&b"x".to_vec(), "PEM")] {
        let told = FileKey::of_pem(text).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
        assert!(PublicKey::of_pem(text).is_err());
    }
    // More than a key has, with one at its beginning.
    let own = openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", at);
    let filled = |bytes: usize| [own.clone(), vec![b'\n'; bytes - own.len()]].concat();
    assert!(FileKey::of_pem(&filled(KEY_BYTES_MAX)).is_ok() && FileKey::of_pem(&filled(KEY_BYTES_MAX + 1)).is_err());
}

#[test]
fn a_signature_that_lies_in_the_model_is_known_by_its_name_there() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("ours");
    model(&root);
    assert_eq!(within(&root, &root.join("model.sig")), Name::of("model.sig"));
    assert_eq!(within(&root, &root.join("tokenizer/../model.sig")), Name::of("model.sig"));
    assert_eq!(within(&root, &folder.path().join("model.sig")), None);
}
