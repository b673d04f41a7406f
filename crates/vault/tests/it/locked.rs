//! Locked models, as holders, onlookers and attackers meet them.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use vault::files::{Choice, files};
use vault::limits::HEAD_BYTES_MAX;
use vault::locked::lock;
use vault::{Algorithm, Head, Holder, Locked, Manifest, Name, Progress, Release, VaultError};

use crate::models::{method, model};

/// What the large file of the model has: bytes that tell where they are.
fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(|n| n.to_le_bytes()).collect()
}

/// A model, locked for three holders of whom two are needed.
fn locked(at: &Path) -> (Head, Vec<Holder>) {
    let root = at.join("ours");
    model(&root);
    fs::write(root.join("model.safetensors"), content()).unwrap();
    let holders: Vec<Holder> = (0..3).map(|_| Holder::random().unwrap()).collect();
    let publics: Vec<_> = holders.iter().map(|holder| holder.public().clone()).collect();
    let method = method(Algorithm::Blake3, None);
    let progress = Progress::default();
    let (files, manifest) =
        (files(&root, &Choice::default()).unwrap(), Manifest::of(&root, &method, 2, &progress).unwrap());
    let head = lock(&files, &manifest, &publics, 2, &at.join("locked"), &Progress::default()).unwrap();
    assert_eq!(Head::read(&at.join("locked")).unwrap(), head);
    (head, holders)
}

fn open(at: &Path, holders: &[&Holder]) -> Result<Locked, VaultError> {
    let head = Head::read(&at.join("locked"))?;
    let shares = holders.iter().map(|holder| head.share(holder)).collect::<Result<Vec<_>, _>>()?;
    Locked::open(&at.join("locked"), &head, &shares)
}

fn read(locked: &Locked, name: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut file = locked.read(&Name::of(name).unwrap()).map_err(|error| error.to_string())?;
    file.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

#[test]
fn any_two_of_three_open_it_and_nobody_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (head, holders) = locked(folder.path());
    let [ann, bob, cyd] = &holders[..] else { unreachable!() };
    for two in [[ann, bob], [bob, cyd], [cyd, ann]] {
        let opened = open(folder.path(), &two).unwrap();
        let names: Vec<(String, u64)> = opened.files().map(|(name, bytes, _)| (name.to_string(), bytes)).collect();
        let names: Vec<(&str, u64)> = names.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        assert_eq!(names, [("empty", 0), ("model.safetensors", 1_200_000), ("tokenizer/words.json", 2)]);
        assert_eq!(read(&opened, "model.safetensors").unwrap(), content());
        assert_eq!((read(&opened, "empty"), read(&opened, "tokenizer/words.json")), (Ok(vec![]), Ok(b"{}".to_vec())));
        assert!(read(&opened, "other").unwrap_err().contains("there is no file"));
    }
    let alone = open(folder.path(), &[ann]).unwrap_err().to_string();
    assert!(alone.contains("2 of the 3 holders are needed, and 1 opened"), "{alone}");
    assert!(open(folder.path(), &[ann, ann]).is_err(), "the same one twice");
    let stranger = Holder::random().unwrap();
    assert!(head.share(&stranger).unwrap_err().to_string().contains("has no share"));
    // Whoever can write the folder makes it no easier to open.
    let text = fs::read_to_string(folder.path().join("locked/vault.json")).unwrap();
    fs::write(folder.path().join("locked/vault.json"), text.replace(r#""needed": 2"#, r#""needed": 1"#)).unwrap();
    assert!(open(folder.path(), &[ann]).is_err());
}

#[test]
fn a_share_that_is_given_on_opens_it_for_whoever_got_it_only() {
    let folder = tempfile::tempdir().unwrap();
    let (head, holders) = locked(folder.path());
    let (machine, other) = (Holder::random().unwrap(), Holder::random().unwrap());
    let released = |holder: usize, to: &Holder| {
        let release = head.release(&holders[holder], to.public(), "2026-12-01T00:00:00Z").unwrap();
        Release::of(&serde_json::to_vec(&release).unwrap()).unwrap()
    };
    let (one, two) = (released(0, &machine), released(2, &machine));
    let shares = [&one, &two].map(|release| release.share(&head, &machine).unwrap());
    let opened = Locked::open(&folder.path().join("locked"), &head, &shares).unwrap();
    assert_eq!(read(&opened, "tokenizer/words.json").unwrap(), b"{}");
    assert!(one.share(&head, &other).is_err());
    // Neither its end nor its model can be another.
    let text = serde_json::to_string(&one).unwrap();
    let longer = Release::of(text.replace("2026-12-01", "2029-12-01").as_bytes()).unwrap();
    assert!(longer.share(&head, &machine).is_err());
    let elsewhere = tempfile::tempdir().unwrap();
    let (another, _) = locked(elsewhere.path());
    assert!(one.share(&another, &machine).unwrap_err().to_string().contains("of the model"));
    assert!(Release::of(b"{}").is_err());
}

#[test]
fn parts_of_a_file_are_read_without_the_rest_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (_, holders) = locked(folder.path());
    let opened = open(folder.path(), &[&holders[0], &holders[2]]).unwrap();
    let name = Name::of("model.safetensors").unwrap();
    let mut file = opened.read(&name).unwrap();
    for (from, bytes) in [(0, 1), (65_000, 2_000), (700_000, 200_000), (1_199_999, 1)] {
        let mut part = vec![0; bytes];
        file.seek(SeekFrom::Start(from)).unwrap();
        file.read_exact(&mut part).unwrap();
        assert_eq!(part, content()[from as usize..from as usize + bytes]);
    }
    // The middle is damaged: what is not in it is read still, and nothing of it is.
    let place = folder.path().join("locked/1");
    let mut bytes = fs::read(&place).unwrap();
    bytes[600_000] ^= 1;
    fs::write(&place, bytes).unwrap();
    let mut file = opened.read(&name).unwrap();
    let mut part = vec![0; 1_000];
    file.read_exact(&mut part).unwrap();
    assert_eq!(part, content()[..1_000]);
    assert!(read(&opened, "model.safetensors").is_err());
}

#[test]
fn nothing_of_the_model_is_in_clear_and_nothing_of_it_can_be_another() {
    let folder = tempfile::tempdir().unwrap();
    let (_, holders) = locked(folder.path());
    let both = [&holders[0], &holders[1]];
    let at = folder.path().join("locked");
    let place = |name: &str| at.join(name);
    for name in ["0", "1", "2", "index"] {
        let text = fs::read(place(name)).unwrap();
        let clear = content();
        assert!(!text.windows(64).any(|part| part == &clear[..64]), "{name}");
        assert!(!text.windows(9).any(|part| part == b"tokenizer"), "{name}");
    }
    let all = || {
        let opened = open(folder.path(), &both).map_err(|error| error.to_string())?;
        ["empty", "model.safetensors", "tokenizer/words.json"].map(|name| read(&opened, name)).into_iter().collect()
    };
    let whole: Result<Vec<Vec<u8>>, String> = all();
    assert!(whole.is_ok());
    // Bits here and there, and ends.
    for name in ["0", "1", "2", "index", "vault.json"] {
        let text = fs::read(place(name)).unwrap();
        let step = (text.len() / 60).max(1);
        for byte in (0..text.len()).step_by(step).chain([text.len() - 1]) {
            let mut changed = text.clone();
            changed[byte] ^= 1;
            fs::write(place(name), &changed).unwrap();
            let told: Result<Vec<Vec<u8>>, String> = all();
            // What a model is called says nothing about what is in it.
            assert!(told.is_err() || name == "vault.json" && told == whole, "{name}, byte {byte}");
            fs::write(place(name), &text[..byte]).unwrap();
            let told: Result<Vec<Vec<u8>>, String> = all();
            assert!(told.is_err(), "{name}, {byte} bytes");
        }
        fs::write(place(name), &text).unwrap();
    }
    // Files in each other's places, and those of another model.
    let (one, two) = (fs::read(place("0")).unwrap(), fs::read(place("2")).unwrap());
    fs::write(place("0"), &two).unwrap();
    fs::write(place("2"), &one).unwrap();
    assert!(all().is_err());
    fs::write(place("0"), &one).unwrap();
    fs::write(place("2"), &two).unwrap();
    assert_eq!(all(), whole);
}

#[test]
fn it_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("ours");
    model(&root);
    let one = [Holder::random().unwrap().public().clone()];
    let method = method(Algorithm::Sha256, None);
    let list = files(&root, &Choice::default()).unwrap();
    let manifest = Manifest::of(&root, &method, 1, &Progress::default()).unwrap();
    let to = folder.path().join("locked");
    let lock = |holders: &[_], needed| lock(&list, &manifest, holders, needed, &to, &Progress::default());
    // What an earlier try left does not count.
    fs::create_dir(folder.path().join("locked.part")).unwrap();
    fs::write(folder.path().join("locked.part/0"), "half").unwrap();
    assert!(Head::read(&to).is_err());
    // Who may not hold it.
    assert!(lock(&[], 0).is_err() && lock(&one, 2).is_err());
    assert!(lock(&[one[0].clone(), one[0].clone()], 1).unwrap_err().to_string().contains("twice"));
    // The model is another than the one that was hashed.
    fs::write(root.join("tokenizer/words.json"), "[]").unwrap();
    assert!(lock(&one, 1).unwrap_err().to_string().contains("another"));
    assert!(!to.exists() && !folder.path().join("locked.part").exists());
    fs::write(root.join("tokenizer/words.json"), "{}").unwrap();
    lock(&one, 1).unwrap();
    assert!(lock(&one, 1).unwrap_err().to_string().contains("there already"));
}

#[test]
fn a_head_has_so_many_bytes_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (head, _) = locked(folder.path());
    let path = folder.path().join("locked/vault.json");
    let text = fs::read_to_string(&path).unwrap();
    let filled = |bytes: usize| fs::write(&path, format!("{text}{}", " ".repeat(bytes - text.len()))).unwrap();
    assert_eq!(head.id.len(), 32);
    fs::write(&path, text.replace(&head.id, "another")).unwrap();
    assert!(Head::read(&folder.path().join("locked")).unwrap_err().to_string().contains("its id"));
    filled(HEAD_BYTES_MAX);
    assert_eq!(Head::read(&folder.path().join("locked")).unwrap(), head);
    filled(HEAD_BYTES_MAX + 1);
    assert!(Head::read(&folder.path().join("locked")).unwrap_err().to_string().contains("at most"));
}

#[test]
fn a_list_of_files_that_could_not_be_read_again_is_not_locked() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("ours");
    // Names of some four thousand bytes each, which is what a name may have.
    let deep = (0..16).fold(root.clone(), |path, _| path.join("d".repeat(250)));
    fs::create_dir_all(&deep).unwrap();
    let one = [Holder::random().unwrap().public().clone()];
    let method = method(Algorithm::Blake3, None);
    let mut made = 0;
    let mut lock = |files_of: usize, to: &str| {
        (made..files_of).for_each(|n| fs::write(deep.join(n.to_string()), "").unwrap());
        made = files_of;
        let list = files(&root, &Choice::default()).unwrap();
        let manifest = Manifest::of(&root, &method, 2, &Progress::default()).unwrap();
        vault::locked::lock(&list, &manifest, &one, 1, &folder.path().join(to), &Progress::default()).map(drop)
    };
    lock(100, "some").unwrap();
    let told = lock(16_600, "many").unwrap_err().to_string();
    assert!(told.contains("a list of files of at most") && !folder.path().join("many.part").exists(), "{told}");
}

/// What the second implementation (peers/models/reader.py), which reads the vectors that the specification publishes, made of 90 bytes from 100 on in segments
/// of 64 bytes, with a key of 0 to 31, an initialisation vector of 32 to 63, and nonces of twelve equal bytes.
const KNOWN: &str = "00000000004000000020202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f86eb99ec1e3ce575\
     0e3148aa9a0b7e5a62e4441c2c36de7438932664a7d67c8bffffffff0101010101010101010101017b8c8fddb55227301662\
     747819fa69627d0d2f79e1abc606272047a14e23568e132a25bf1c977f7878098dc45512f0c9ffffffff0202020202020202\
     02020202dc5a0c07e2b4cd83e2fb2614e35995cc03339bf774859b6f9e5ddde8e602ec4328e133184f577021aae1b0b03e4c\
     d9ee0000003a030303030303030303030303be4c899c1559598bbca973bb27ecf9662d9ee798dcdb8a7912fe429683bc5926\
     fa69c81ac9bb80c9e2e8";

#[test]
fn a_message_of_the_second_implementation_is_read_and_none_with_another_bit() {
    let bytes: Vec<u8> =
        (0..KNOWN.len() / 2).map(|at| u8::from_str_radix(&KNOWN[2 * at..2 * at + 2], 16).unwrap()).collect();
    let key = fast_floe::Key::from_bytes(std::array::from_fn(|at| at as u8));
    let parameters = fast_floe::Parameters::with_segment_length(64).unwrap();
    let read = |bytes: &[u8]| -> std::io::Result<Vec<u8>> {
        let mut clear = Vec::new();
        let from = std::io::Cursor::new(bytes);
        fast_floe::random_access::Reader::new_with_parameters(from, &key, b"stillwatch known answer", parameters)?
            .read_to_end(&mut clear)?;
        Ok(clear)
    };
    assert_eq!(read(&bytes).unwrap(), (100..190).collect::<Vec<u8>>());
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert!(read(&other).is_err(), "byte {at}");
    }
}
