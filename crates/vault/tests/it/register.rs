//! The register of models, as whoever keeps it and whoever copies weights without saying so meet it.

use std::fs;
use std::path::Path;

use vault::limits::{COPIES_MAX, REGISTER_BYTES_MAX, WEIGHTS_BYTES_MIN};
use vault::{Algorithm, Content, Copy, Manifest, Progress, Register, State};

use crate::models::{method, model};

fn copy(host: &str, place: &Path, content: Content) -> Copy {
    let text = str::to_owned;
    Copy {
        id: String::new(),
        model: text("ours"),
        host: text(host),
        place: place.to_str().unwrap().to_owned(),
        by: text("ann"),
        since: text("2026-07-01T00:00:00Z"),
        reviewed: text("2026-07-01T00:00:00Z"),
        signed_by: None,
        content,
    }
}

fn in_clear(root: &Path) -> Content {
    Content::of(&Manifest::of(root, &method(Algorithm::Blake3, None), 2, &Progress::default()).unwrap())
}

#[test]
fn a_place_is_there_once_and_keeps_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = || Content::Elsewhere { digest: None };
    let mut register = Register::read(folder.path()).unwrap();
    let put = |register: &mut Register, host: &str, place: &str| {
        register.put(copy(host, Path::new(place), elsewhere())).unwrap()
    };
    assert_eq!(put(&mut register, "a", "/m"), (None, "copy_1".to_owned()));
    assert_eq!(put(&mut register, "b", "/m").1, "copy_2");
    let mut later = copy("a", Path::new("/m"), elsewhere());
    (later.by, later.since) = ("bob".to_owned(), "2026-08-01T00:00:00Z".to_owned());
    let (before, id) = register.put(later).unwrap();
    assert_eq!((before.unwrap().by.as_str(), id.as_str()), ("ann", "copy_1"));
    assert_eq!(
        (register.copies()[0].by.as_str(), register.copies()[0].since.as_str()),
        ("bob", "2026-07-01T00:00:00Z")
    );
    assert!(register.review("copy_1", "2026-09-01T00:00:00Z") && !register.review("copy_9", "2026-09-01T00:00:00Z"));
    assert_eq!(register.remove("copy_2").unwrap().host, "b");
    assert!(register.remove("copy_2").is_none() && register.copy("copy_1").is_some());
    // Numbers are not given out again, also after it was written and read.
    register.write(folder.path()).unwrap();
    let mut again = Register::read(folder.path()).unwrap();
    assert_eq!(again, register);
    assert_eq!(put(&mut again, "c", "/m").1, "copy_3");
}

#[test]
fn what_became_of_a_place_is_told_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("ours");
    model(&root);
    let state = |copy: &Copy, host: &str| copy.state(host, 2, &Progress::default()).unwrap();
    let known = copy("here", &root, in_clear(&root));
    assert_eq!((state(&known, "here"), known.bytes("here")), (State::Same, 3_000_002));
    assert_eq!((state(&known, "there"), known.bytes("there")), (State::NotHere, 0));
    fs::write(root.join("tokenizer/words.json"), "[]").unwrap();
    fs::write(root.join("new"), "").unwrap();
    let State::Changed(differences) = state(&known, "here") else { panic!("expected a change") };
    let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["`tokenizer/words.json` was changed", "`new` was added"]);
    // A locked model is told by its id, and by what lies there.
    let locked = copy(
        "here",
        &root,
        Content::locked(
            "0".repeat(32),
            &Manifest::of(&root, &Content::method_of_locked(), 1, &Progress::default()).unwrap(),
        ),
    );
    assert_eq!(state(&locked, "here"), State::Other("no locked model is there any more".to_owned()));
    fs::remove_dir_all(&root).unwrap();
    assert_eq!(state(&known, "here"), State::Gone);
}

#[test]
fn weights_that_no_register_has_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let long = vec![7; WEIGHTS_BYTES_MIN as usize];
    let put = |name: &str, content: &[u8]| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    put("known/model.safetensors", &long);
    put("known/deep/er/model.safetensors", &long);
    put("single.gguf", &long);
    put("copied/a.safetensors", &long);
    put("copied/b.safetensors", &long);
    put("renamed/holiday.jpg", &[b"GGUF\x02\0\0\0", &[0; 16][..], &long].concat());
    put("torch/pytorch_model.bin", &[b"PK\x03\x04", &long[..]].concat());
    put("cache/of-a-compiler.bin", &long);
    put("short/model.safetensors", &long[1..]);
    put("text/notes.txt", &vec![b'a'; long.len()]);
    let mut register = Register::read(&root).unwrap();
    let elsewhere = || Content::Elsewhere { digest: None };
    register.put(copy("here", &root.join("known"), elsewhere())).unwrap();
    register.put(copy("here", &root.join("single.gguf"), elsewhere())).unwrap();
    register.put(copy("there", &root.join("copied"), elsewhere())).unwrap();
    let searched = register.search("here", std::slice::from_ref(&root)).unwrap();
    assert_eq!(searched.found, ["copied", "renamed", "torch"].map(|name| root.join(name)));
    assert_eq!(searched.unread, Vec::<std::path::PathBuf>::new());
    assert!(register.search("here", &[root.join("nowhere")]).is_err());
    // Where there are no disks nothing is looked for.
    assert_eq!(register.search("here", &["/proc".into(), "/sys".into()]).unwrap(), vault::Searched::default());
}

#[test]
fn a_register_has_limits_and_is_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.json");
    let elsewhere = || Content::Elsewhere { digest: None };
    let mut register = Register::read(folder.path()).unwrap();
    for number in 0..COPIES_MAX {
        register.put(copy("here", Path::new(&format!("/m/{number}")), elsewhere())).unwrap();
    }
    assert!(
        register
            .put(copy("here", Path::new("/m/x"), elsewhere()))
            .unwrap_err()
            .to_string()
            .contains("at most 10000 places")
    );
    // One that is known is no further one.
    register.put(copy("here", Path::new("/m/0"), elsewhere())).unwrap();
    register.write(folder.path()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(Register::read(folder.path()).unwrap(), register);
    let one = text.find("    {\n").unwrap()..text.find("    {\n      \"id\": \"copy_2\"").unwrap();
    fs::write(&path, text.replacen(&text[one.clone()], &text[one].repeat(2), 1)).unwrap();
    assert!(Register::read(folder.path()).unwrap_err().to_string().contains("at most 10000 places"));
    let padded = |bytes: usize| fs::write(&path, format!("{text}{}", " ".repeat(bytes - text.len()))).unwrap();
    padded(REGISTER_BYTES_MAX);
    assert_eq!(Register::read(folder.path()).unwrap(), register);
    padded(REGISTER_BYTES_MAX + 1);
    assert!(Register::read(folder.path()).unwrap_err().to_string().contains("more than 67108864 bytes"));
    for (text, expected) in
        [("{}", "missing field"), (r#"{"kind":"x","count":0,"copies":[]}"#, "expected `stillwatch models 1`")]
    {
        fs::write(&path, text).unwrap();
        let error = Register::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("models.json"), "{error}");
    }
    let mut long = Register::read(&folder.path().join("nowhere")).unwrap();
    long.put(copy("here", Path::new(&"x".repeat(REGISTER_BYTES_MAX)), elsewhere())).unwrap();
    assert!(long.write(folder.path()).unwrap_err().to_string().contains("would have more than"));
}
