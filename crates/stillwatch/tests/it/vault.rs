//! Models, hashed, signed, checked, locked and read again by the program.

use std::fs;
use std::process::Command;

use crate::cli::{Folder, Ran, run};
use crate::up::Gateway;

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

/// A key of somebody, with the file of its passphrase: the words that unlock it.
fn holder(folder: &Folder, name: &str) -> Vec<String> {
    let words = folder.file(&format!("{name}.txt"), format!("the words of {name}\n"));
    let key = folder.path(&format!("{name}.key"));
    let made = run(&["vault", "key", "--out", &key, "--passphrase-file", &words]);
    assert_eq!(made.code, 0, "{made:?}");
    ["--key", &key, "--passphrase-file", &words].map(str::to_owned).to_vec()
}

fn vault(words: &[&str], unlocking: &[String]) -> Ran {
    let unlocking: Vec<&str> = unlocking.iter().map(String::as_str).collect();
    run(&[&["vault"], words, &unlocking[..], &["--by", "ann", "--reason", "a drill"]].concat())
}

#[test]
fn a_locked_model_is_read_by_two_who_said_why_and_by_nobody_else() {
    let folder = Folder::new("vault-locked");
    let [model, ..] = made(&folder);
    let [ann, bob, machine] = ["ann", "bob", "machine"].map(|name| holder(&folder, name));
    let locked = folder.path("locked");
    let public = |name: &str| folder.path(&format!("{name}.pub"));
    let gateway = Gateway::start_in(Folder::new("vault-ledger"), &[]);
    let data = gateway.data();
    let (of_ann, of_bob) = (public("ann"), public("bob"));
    let lock =
        ["lock", &model, "--out", &locked, "--holder", &of_ann, "--holder", &of_bob, "--needed", "2", "--data", &data];
    let done = vault(&lock, &[]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{done:?}");
    assert!(crate::sealing::having(std::path::Path::new(&locked), "words.json").is_empty());
    let shown = run(&["vault", "ls", &locked, "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!((shown["needed"].as_u64(), shown["holders"].as_array().map(Vec::len)), (Some(2), Some(2)));
    let cat = |name: &str, more: &[&str], own: &[String]| {
        vault(&[&["cat", &locked, name, "--data", &data], more].concat(), own)
    };
    let alone = cat("tokenizer/words.json", &[], &ann);
    assert_eq!((alone.code, alone.stdout.as_str()), (65, ""), "{alone:?}");
    assert!(alone.stderr.contains("2 of the 2 holders are needed, and 1 opened"), "{}", alone.stderr);
    // Both give their shares to the machine.
    let shares = [("ann", &ann), ("bob", &bob)].map(|(name, own)| {
        let (share, to) = (folder.path(&format!("{name}.share")), public("machine"));
        let words = ["release", &locked, "--to", &to, "--hours", "8", "--out", &share, "--data", &data];
        let released = vault(&words, own);
        assert_eq!(released.code, 0, "{released:?}");
        share
    });
    let both = ["--share", &shares[0], "--share", &shares[1]];
    let read = cat("tokenizer/words.json", &both, &machine);
    assert_eq!((read.code, read.stdout.as_str()), (0, "{}"), "{read:?}");
    let part = cat("model.safetensors", &[&both[..], &["--from", "99990", "--bytes", "7"]].concat(), &machine);
    assert_eq!((part.code, part.stdout.as_bytes()), (0, &[1; 7][..]), "{part:?}");
    assert_eq!(cat("model.safetensors", &both, &bob).code, 65, "a share that was given to another");
    assert_eq!(cat("../model.safetensors", &both, &machine).code, 2);
    assert!(cat("other", &both, &machine).stderr.contains("there is no file `other`"));
    // All of it is put down.
    let entries = run(&["ledger", "tail", "-n", "1000", "--data", &data, "--json"]).stdout;
    let entries: serde_json::Value = serde_json::from_str(&entries).expect("JSON");
    let entries = entries["entries"].as_array().expect("entries");
    let kinds = ["lock", "release", "opening"].map(|kind| entries.iter().filter(|entry| entry["kind"] == kind).count());
    assert_eq!(kinds, [1, 2, 2]);
    // Where nothing can be put down nothing is read.
    let nowhere = folder.path("nowhere");
    let unsaid = vault(&[&["cat", &locked, "tokenizer/words.json", "--data", &nowhere], &both[..]].concat(), &machine);
    assert_eq!((unsaid.code, unsaid.stdout.as_str()), (65, ""), "{unsaid:?}");
}
