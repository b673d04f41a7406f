//! Models, hashed, signed, checked, locked and read again by the program.

use std::fs;
use std::process::Command;

use crate::cli::{Folder, Ran, run, run_with};
use crate::up::Gateway;

/// A safetensors file of so many bytes, with one tensor of ones.
fn weights(bytes: usize) -> Vec<u8> {
    let values = bytes - 100;
    let header = format!(r#"{{"w":{{"dtype":"U8","shape":[{values}],"data_offsets":[0,{values}]}}}}"#);
    [&92_u64.to_le_bytes()[..], format!("{header:92}").as_bytes(), &vec![1; values]].concat()
}

/// A model, a key on P-256 and its public half.
fn made(folder: &Folder) -> [String; 3] {
    let model = folder.path("ours");
    fs::create_dir_all(format!("{model}/tokenizer")).expect("done");
    fs::write(format!("{model}/model.safetensors"), weights(100_000)).expect("done");
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

/// A model that is locked for Ann and Bob, both of whom are needed.
struct Scene {
    folder: Folder,
    gateway: Gateway,
    locked: String,
    ann: Vec<String>,
    bob: Vec<String>,
    machine: Vec<String>,
}

impl Scene {
    fn new(name: &str) -> Scene {
        let folder = Folder::new(name);
        let [model, ..] = made(&folder);
        let [ann, bob, machine] = ["ann", "bob", "machine"].map(|name| holder(&folder, name));
        let locked = folder.path("locked");
        let gateway = Gateway::start_in(Folder::new(&format!("{name}-ledger")), &[]);
        let (data, [of_ann, of_bob]) = (gateway.data(), ["ann.pub", "bob.pub"].map(|name| folder.path(name)));
        let lock = [
            "lock", &model, "--out", &locked, "--holder", &of_ann, "--holder", &of_bob, "--needed", "2", "--data",
            &data,
        ];
        let done = vault(&lock, &[]);
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{done:?}");
        Scene { folder, gateway, locked, ann, bob, machine }
    }

    /// Both give their shares to the machine.
    fn shares(&self) -> [String; 2] {
        [("ann", &self.ann), ("bob", &self.bob)].map(|(name, own)| {
            let (share, to) = (self.folder.path(&format!("{name}.share")), self.folder.path("machine.pub"));
            let words =
                ["release", &self.locked, "--to", &to, "--hours", "8", "--out", &share, "--data", &self.gateway.data()];
            let released = vault(&words, own);
            assert_eq!(released.code, 0, "{released:?}");
            share
        })
    }

    /// How many entries the ledger has of some kinds.
    fn entries<const N: usize>(&self, kinds: [&str; N]) -> [usize; N] {
        let entries = run(&["ledger", "tail", "-n", "1000", "--data", &self.gateway.data(), "--json"]).stdout;
        let entries: serde_json::Value = serde_json::from_str(&entries).expect("JSON");
        let entries = entries.get("entries").and_then(serde_json::Value::as_array).expect("entries");
        kinds.map(|kind| entries.iter().filter(|entry| entry.get("kind").is_some_and(|is| is == kind)).count())
    }
}

#[test]
fn a_locked_model_is_read_by_two_who_said_why_and_by_nobody_else() {
    let scene = Scene::new("vault-locked");
    let Scene { folder, gateway, locked, ann, bob, machine } = &scene;
    let data = gateway.data();
    assert!(crate::sealing::having(std::path::Path::new(locked), "words.json").is_empty());
    let shown = run(&["vault", "ls", locked, "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!((shown["needed"].as_u64(), shown["holders"].as_array().map(Vec::len)), (Some(2), Some(2)));
    let cat = |name: &str, more: &[&str], own: &[String]| {
        vault(&[&["cat", locked, name, "--data", &data], more].concat(), own)
    };
    let alone = cat("tokenizer/words.json", &[], ann);
    assert_eq!((alone.code, alone.stdout.as_str()), (65, ""), "{alone:?}");
    assert!(alone.stderr.contains("2 of the 2 holders are needed, and 1 opened"), "{}", alone.stderr);
    let shares = scene.shares();
    let both = ["--share", &shares[0], "--share", &shares[1]];
    let read = cat("tokenizer/words.json", &both, machine);
    assert_eq!((read.code, read.stdout.as_str()), (0, "{}"), "{read:?}");
    let part = cat("model.safetensors", &[&both[..], &["--from", "99990", "--bytes", "7"]].concat(), machine);
    assert_eq!((part.code, part.stdout.as_bytes()), (0, &[1; 7][..]), "{part:?}");
    assert_eq!(cat("model.safetensors", &both, bob).code, 65, "a share that was given to another");
    assert_eq!(cat("../model.safetensors", &both, machine).code, 2);
    assert!(cat("other", &both, machine).stderr.contains("there is no file `other`"));
    // All of it is put down.
    assert_eq!(scene.entries(["lock", "release", "opening"]), [1, 2, 2]);
    // Where nothing can be put down nothing is read.
    let nowhere = folder.path("nowhere");
    let unsaid = vault(&[&["cat", locked, "tokenizer/words.json", "--data", &nowhere], &both[..]].concat(), machine);
    assert_eq!((unsaid.code, unsaid.stdout.as_str()), (65, ""), "{unsaid:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_reads_a_locked_model_as_files_that_are_in_memory_only() {
    let scene = Scene::new("vault-open");
    let at = scene.folder.path("served");
    let shares = scene.shares();
    let data = scene.gateway.data();
    let open = |at: &str, program: &[&str]| {
        let words =
            ["vault", "open", &scene.locked, "--at", at, "--allow-swap", "--share", &shares[0], "--share", &shares[1]];
        let own: Vec<&str> = scene.machine.iter().map(String::as_str).collect();
        run(&[&words, &own[..], &["--by", "ops", "--reason", "serving", "--data", &data, "--"], program].concat())
    };
    // A program that others begin finds it too, and nobody changes it.
    let script = format!(
        "cat {at}/tokenizer/words.json; sh -c 'wc -c < {at}/model.safetensors'; (echo x >> {at}/tokenizer/words.json) 2>/dev/null || echo kept; \
         cat {at}/tokenizer/words.json; ulimit -c; exit 7"
    );
    for turn in 1..=2 {
        let ran = open(&at, &["sh", "-c", &script]);
        assert_eq!((ran.code, ran.stdout.as_str()), (7, "{}100000\nkept\n{}0\n"), "turn {turn}: {ran:?}");
        assert_eq!(scene.entries(["opening"]), [turn]);
        // What it leaves are links that lead nowhere.
        let left = fs::read_dir(&at).expect("a folder").map(|entry| entry.expect("an entry"));
        assert!(left.filter(|entry| !entry.path().is_dir()).all(|entry| entry.path().is_symlink()));
        assert!(fs::read(format!("{at}/model.safetensors")).is_err());
    }
    // What somebody else keeps there stays, and then nothing is opened.
    let kept = scene.folder.path("kept");
    fs::create_dir(&kept).expect("a folder");
    fs::write(format!("{kept}/notes"), "mine").expect("a file");
    let refused = open(&kept, &["true"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (65, ""), "{refused:?}");
    assert!(refused.stderr.contains("is no link to a locked model"), "{}", refused.stderr);
    assert_eq!(
        (fs::read(format!("{kept}/notes")).expect("a file"), scene.entries(["opening"])),
        (b"mine".to_vec(), [2])
    );
    // A program that is not there leaves no folder.
    let missing = open(&at, &["/nowhere/at-all"]);
    assert_eq!(missing.code, 74, "{missing:?}");
    assert!(!std::path::Path::new(&at).exists());
}

#[test]
fn what_may_run_something_is_neither_signed_nor_locked_unless_that_is_said() {
    let folder = Folder::new("vault-formats");
    let [model, key, _] = made(&folder);
    let shown = run(&["vault", "formats", &model]);
    assert_eq!(
        (shown.code, shown.stdout.as_str()),
        (0, "safetensors    model.safetensors\ntext           tokenizer/words.json\n")
    );
    fs::write(format!("{model}/optimizer.pt"), b"\x80\x02}q\0.").expect("done");
    fs::write(format!("{model}/modeling\u{1b}.py"), "import os").expect("done");
    let out = folder.path("m.sig");
    let sign = |more: &[&str]| run(&[&["vault", "sign", &model, "--key", &key, "--out", &out], more].concat());
    let refused = sign(&[]);
    assert_eq!((refused.code, refused.stdout.as_str()), (65, ""), "{refused:?}");
    for part in [
        "2 files of formats that are not taken",
        "optimizer.pt: pickle: it is a pickle",
        "modeling",
        "--allow-format program",
    ] {
        assert!(refused.stderr.contains(part) && !refused.stderr.contains('\u{1b}'), "{part}: {}", refused.stderr);
    }
    assert!(!std::path::Path::new(&out).exists());
    let shown = run(&["vault", "formats", &model, "--json", "--allow-format", "pickle"]);
    let told: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(
        (shown.code, told["not_taken"].as_u64(), told["files"][2]["format"].as_str()),
        (65, Some(1), Some("pickle"))
    );
    assert_eq!(sign(&["--allow-format", "pickle"]).code, 65);
    assert_eq!(sign(&["--allow-format", "pickle", "--allow-format", "program"]).code, 0);
    assert_eq!(sign(&["--leave-out", "optimizer.pt", "--leave-out", "modeling\u{1b}.py"]).code, 0);
    let typed = sign(&["--allow-format", "safetensors"]);
    assert!(typed.code == 2 && typed.stderr.contains("expected one of pickle, archive"), "{typed:?}");
    let holder_key = holder(&folder, "ann");
    let public = folder.path("ann.pub");
    let lock =
        ["lock", &model, "--out", &folder.path("locked"), "--holder", &public, "--needed", "1"].map(str::to_owned);
    let lock: Vec<&str> = lock.iter().map(String::as_str).collect();
    let refused = vault(&lock, &[]);
    assert!(refused.code == 65 && refused.stderr.contains("not taken") && !holder_key.is_empty(), "{refused:?}");
}

#[test]
fn the_register_tells_what_became_of_every_place_that_holds_a_model() {
    let scene = Scene::new("vault-register");
    let (data, model) = (scene.gateway.data(), scene.folder.path("ours"));
    let (key, public) = (scene.folder.path("key.pem"), scene.folder.path("public.pem"));
    let signature = scene.folder.path("ours.sig");
    let say =
        |words: &[&str]| run(&[&["vault"], words, &["--by", "ann", "--reason", "a drill", "--data", &data]].concat());
    // Where somebody says who signs the ledger says it first, and where it cannot nothing is signed.
    let sign = ["sign", &model, "--key", &key, "--out", &signature];
    let nowhere = run(&[&["vault"], &sign[..], &["--by", "ann", "--reason", "a drill", "--data", &model]].concat());
    assert!(nowhere.code == 65 && !std::path::Path::new(&signature).exists(), "{nowhere:?}");
    assert_eq!(say(&sign).code, 0);
    assert_eq!(scene.entries(["signature", "copy", "review"]), [1, 0, 0]);
    let put = say(&["register", &model, "--signature", &signature, "--key", &public]);
    assert!(
        put.code == 0 && put.stdout.starts_with("Put down as copy_1: ") && put.stdout.ends_with(", in clear.\n"),
        "{put:?}"
    );
    assert!(say(&["register", &scene.locked]).stdout.ends_with(", locked.\n"));
    let digest = "ab".repeat(32);
    let bucket = ["register", "s3://weights/ours", "--elsewhere", "the bucket", "--model", "ours", "--digest", &digest];
    assert_eq!(say(&bucket).code, 0);
    assert!(say(&["register", &model]).stdout.starts_with("Put down anew as copy_1: "));
    assert_eq!(scene.entries(["copy", "review", "copy_removed"]), [4, 0, 0]);
    let show = |more: &[&str]| run(&[&["vault", "inventory", "--data", &data], more].concat());
    let shown = show(&["--check", "--json"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let told: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    let same: Vec<Option<bool>> = (0..3).map(|at| told["copies"][at]["is_same"].as_bool()).collect();
    assert_eq!(same, [Some(true), Some(true), None]);
    // Of a locked model every byte counts as it lies there, also who is needed to open it.
    for file in ["0", "vault.json"] {
        let path = format!("{}/{file}", scene.locked);
        let before = fs::read(&path).expect("read");
        let mut other = before.clone();
        *other.last_mut().expect("a byte") ^= 1;
        fs::write(&path, &other).expect("written");
        let changed = show(&["--check", "--json"]);
        let told: serde_json::Value = serde_json::from_str(&changed.stdout).expect("JSON");
        assert_eq!((changed.code, told["copies"][1]["is_same"].as_bool()), (65, Some(false)), "{file}: {changed:?}");
        fs::write(&path, &before).expect("written");
    }
    assert_eq!(
        (told["copies"][0]["signed_by"].as_str(), told["copies"][2]["digest"].as_str()),
        (None, Some(digest.as_str()))
    );
    // Somebody changes one and copies it.
    fs::write(format!("{model}/tokenizer/words.json"), "[]").expect("done");
    let other = scene.folder.path("home/copied");
    fs::create_dir_all(&other).expect("a folder");
    fs::write(format!("{other}/holiday.jpg"), weights(2_000_000)).expect("done");
    let shown = show(&["--check", "--search", &scene.folder.path("home")]);
    assert_eq!(shown.code, 65, "{shown:?}");
    assert!(
        shown.stderr.contains("1 place not as they were put down; weights in 1 folder that no register has"),
        "{}",
        shown.stderr
    );
    for part in [
        "`tokenizer/words.json` was changed",
        "as it was",
        "not to be looked at from this machine",
        "copied: weights, and no register",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    assert!(!show(&[]).stdout.contains("was changed"), "nothing is read without --check");
    // What is not what was signed is not put down as that.
    let unsigned = say(&["register", &model, "--signature", &signature, "--key", &public]);
    assert!(unsigned.code == 65 && unsigned.stderr.contains("is not what was signed"), "{unsigned:?}");
    assert_eq!(say(&["review", "copy_1", "copy_2"]).code, 0);
    let unknown = say(&["review", "copy_1", "copy_9"]);
    assert!(unknown.code == 65 && unknown.stderr.contains("the register has no `copy_9`"), "{unknown:?}");
    assert_eq!(say(&["unregister", "copy_3"]).code, 0);
    assert_eq!(scene.entries(["copy", "review", "copy_removed"]), [4, 1, 1]);
    let told: serde_json::Value = serde_json::from_str(&show(&["--json"]).stdout).expect("JSON");
    assert_eq!(told["copies"].as_array().map(Vec::len), Some(2));
    for (words, expected) in [
        (vec!["register", "x", "--elsewhere", "h"], "--model"),
        (vec!["register", "x", "--elsewhere", "h", "--model", "m", "--digest", "ab"], "64 hexadecimal digits"),
        (vec!["register", "x", "--digest", digest.as_str()], "--elsewhere"),
    ] {
        let refused = say(&words);
        assert!(refused.code == 2 && refused.stderr.contains(expected), "{words:?}: {refused:?}");
    }
}

#[test]
fn a_key_on_a_token_signs_a_model() {
    let folder = Folder::new("vault-token");
    let [model, ..] = made(&folder);
    let conf = crate::sealing::token(&folder);
    let module = crate::sealing::soft_hsm();
    let pin = folder.file("pin", "1234\n");
    let with = |words: &[&str]| run_with(words, &[("SOFTHSM2_CONF", &conf)]);
    for (curve, id) in [("prime256v1", "01"), ("secp384r1", "02"), ("secp521r1", "03")] {
        // A key that OpenSSL made is brought there: SoftHSM's own program makes none.
        let (key, moved) = (folder.path(&format!("{curve}.pem")), folder.path(&format!("{curve}.p8")));
        for words in [
            vec!["ecparam", "-name", curve, "-genkey", "-noout", "-out", &key],
            vec!["pkcs8", "-topk8", "-nocrypt", "-in", &key, "-out", &moved],
        ] {
            assert!(Command::new("openssl").args(&words).output().expect("done").status.success(), "{words:?}");
        }
        let brought = Command::new("softhsm2-util")
            .args(["--import", &moved, "--token", "drill", "--pin", "1234", "--label", curve, "--id", id])
            .env("SOFTHSM2_CONF", &conf)
            .output()
            .expect("SoftHSM is needed, which `./check test` installs");
        assert!(brought.status.success(), "{brought:?}");
        let (signature, public) = (folder.path(&format!("{curve}.sig")), folder.path(&format!("{curve}.pub")));
        let sign = [
            "vault",
            "sign",
            &model,
            "--pkcs11",
            module,
            "--pin-file",
            &pin,
            "--token-key",
            curve,
            "--out",
            &signature,
        ];
        let signed = with(&[&sign[..], &["--token", "drill", "--public-out", &public]].concat());
        assert_eq!((signed.code, signed.stderr.as_str()), (0, ""), "{curve}: {signed:?}");
        let own = Command::new("openssl").args(["ec", "-in", &key, "-pubout"]).output().expect("done").stdout;
        assert_eq!(fs::read(&public).expect("a key"), own, "{curve}");
        let checked = run(&["vault", "verify", &model, "--signature", &signature, "--key", &public]);
        assert_eq!(checked.code, 0, "{curve}: {checked:?}");
    }
    let sign = ["vault", "sign", &model, "--pkcs11", module, "--pin-file", &pin, "--out", &folder.path("x.sig")]
        .map(str::to_owned);
    let sign: Vec<&str> = sign.iter().map(String::as_str).collect();
    let missing = with(&[&sign[..], &["--token-key", "other"]].concat());
    assert!(missing.code == 65 && missing.stderr.contains("no public key `other`"), "{missing:?}");
    assert_eq!(with(&sign).code, 2);
}
