//! Models, hashed, signed and checked by the program.

use std::fs;
use std::process::Command;

use crate::cli::{Folder, run};

/// A model, a key on P-256 and its public half.
fn made(folder: &Folder) -> [String; 3] {
    let model = folder.path("ours");
    fs::create_dir_all(format!("{model}/tokenizer")).expect("done");
    fs::write(format!("{model}/model.safetensors"), vec![1; 100_000]).expect("done");
    fs::write(format!("{model}/tokenizer/words.json"), "{}").expect("done");
    let (key, public) = (folder.path("key.pem"), folder.path("public.pem"));
    for words in [
        vec!["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &key],
        vec!["ec", "-in", &key, "-pubout", "-out", &public],
    ] {
        assert!(Command::new("openssl").args(&words).output().expect("done").status.success(), "{words:?}");
    }
    [model, key, public]
}

#[test]
fn a_model_is_what_was_signed_until_anything_is_another() {
    let folder = Folder::new("vault");
    let [model, key, public] = made(&folder);
    // It may lie in the model, and is no part of it.
    let signature = format!("{model}/model.sig");
    let signed = run(&["vault", "sign", &model, "--key", &key, "--out", &signature]);
    assert_eq!((signed.code, signed.stderr.as_str()), (0, ""), "{signed:?}");
    assert!(signed.stdout.starts_with("Signed 2 files of ours by the key "), "{}", signed.stdout);
    let check = || run(&["vault", "verify", &model, "--signature", &signature, "--key", &public]);
    assert_eq!(check().code, 0, "{:?}", check());
    let again = run(&["vault", "sign", &model, "--key", &key, "--out", &signature]);
    assert!(again.code == 0 && check().code == 0, "{again:?}");
    fs::write(format!("{model}/tokenizer/words.json"), "[]").expect("done");
    fs::write(format!("{model}/more\u{1b}[2J"), "").expect("done");
    let changed = check();
    assert_eq!((changed.code, changed.stdout.as_str()), (65, ""), "{changed:?}");
    assert!(changed.stderr.contains("is not what was signed: 2 differences"), "{}", changed.stderr);
    assert!(changed.stderr.contains("`tokenizer/words.json` was changed"), "{}", changed.stderr);
    assert!(changed.stderr.contains("was added") && !changed.stderr.contains('\u{1b}'), "{}", changed.stderr);
    let told = run(&["vault", "verify", &model, "--signature", &signature, "--key", &public, "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).expect("done");
    assert_eq!((told["is_signed"].as_bool(), told["differences"].as_array().map(Vec::len)), (Some(false), Some(2)));
}

#[test]
fn hashes_are_those_of_other_programs() {
    let folder = Folder::new("hash");
    let [model, ..] = made(&folder);
    let hashed = run(&["vault", "hash", &model]);
    let file = format!("{model}/model.safetensors");
    let others = Command::new("openssl").args(["dgst", "-sha256", "-r", &file]).output().expect("done").stdout;
    let others = String::from_utf8(others).expect("done");
    let digest = others.split(' ').next().expect("done");
    assert!(hashed.stdout.starts_with(&format!("{digest}  model.safetensors\n")), "{}", hashed.stdout);
    let json = run(&["vault", "hash", &model, "--json", "--hash", "blake3", "--leave-out", "tokenizer/"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("done");
    assert_eq!((json["algorithm"].as_str(), json["files"].as_array().map(Vec::len)), (Some("blake3"), Some(1)));
}

#[test]
fn what_is_no_model_key_or_signature_is_told() {
    let folder = Folder::new("vault-bad");
    let [model, key, public] = made(&folder);
    let other = folder.file("x.sig", "{}");
    let cases: [(&[&str], i32, &str); 6] = [
        (&["vault", "sign", &model, "--key", &public], 65, "expected an EC private key"),
        (&["vault", "sign", &model, "--key", &key, "--leave-out", "../x"], 2, "expected a path within the model"),
        (&["vault", "sign", "/dev/null", "--key", &key], 65, "expected a file or a folder"),
        (&["vault", "hash", "nowhere"], 74, "nowhere"),
        (&["vault", "verify", &model, "--key", &public, "--signature", &other], 65, "no signature of a model"),
        (&["vault", "verify", &model, "--key", &key, "--signature", &other], 65, "expected an EC public key"),
    ];
    for (words, code, expected) in cases {
        let ran = run(words);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{words:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{words:?}: {}", ran.stderr);
    }
    assert!(!std::path::Path::new("model.sig").exists());
}
