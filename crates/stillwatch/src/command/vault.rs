//! `stillwatch vault`: what the weights of a model consist of, signed and checked; models that lie locked.
//!
//! Promises that nothing is locked, released or read before the ledger says so.

use std::fmt::Write as _;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ::vault::files::{Choice, ModelFile, files, of_repositories};
use ::vault::limits::{KEY_BYTES_MAX, SIGNATURE_BYTES_MAX};
use ::vault::locked;
use ::vault::{
    Algorithm, FileKey, Head, Holder, HolderKey, Locked, Manifest, Method, Name, Progress, PublicKey, Release, Signed,
    Signs as _, VaultError, signature,
};
use exchange::Time;
use report::words::{counted, printable};
use serde_json::{Value, json};
use store::bounded::{read_file, read_text};
use store::whole;
use zeroize::Zeroizing;

use super::seal;
use crate::cli::{
    HashAlgorithm, Hashing, LockedBy, VaultCat, VaultCommand, VaultEntry, VaultLock, VaultLs, VaultOpened,
    VaultRelease, VaultSign, VaultVerify,
};
use crate::failure::{Exit, Failure};
use crate::output::{OutputFile, print, print_json};
use crate::progress;

/// Differences that are printed, one a line; how many more there are is told. `--json` has all.
const DIFFERENCES_SHOWN: usize = 50;
/// Characters of a name that is printed.
const NAME_CHARS: usize = 300;
/// Bytes of a locked file that are read at once.
const CAT_BYTES: usize = 1 << 20;
/// An hour, in nanoseconds.
const HOUR: i64 = 3_600_000_000_000;
/// How often it is drawn how far hashing is.
const STEP_TIME: Duration = Duration::from_millis(100);

/// Does what was asked.
pub(crate) fn run(command: &VaultCommand) -> Result<Exit, Failure> {
    match command {
        VaultCommand::Hash { model, hashing, json } => hash(model, hashing, *json),
        VaultCommand::Sign(args) => sign(args),
        VaultCommand::Verify(args) => verify(args),
        VaultCommand::Key { out, locked } => make_key(out, locked),
        VaultCommand::Lock(args) => lock(args),
        VaultCommand::Ls(args) => list(args),
        VaultCommand::Release(args) => release(args),
        VaultCommand::Cat(args) => cat(args),
    }
}

fn hash(model: &Path, hashing: &Hashing, json: bool) -> Result<Exit, Failure> {
    let method = method(hashing, None)?;
    let files = files(model, &method.choice).map_err(failed)?;
    let manifest = hashed(model, &files, &method, hashing.threads)?;
    if json {
        let files = manifest.digests();
        let files = files.map(|(key, digest)| json!({"name": key.to_string(), "digest": digest.to_string()}));
        let files: Vec<Value> = files.collect();
        return print_json(&json!({
            "model": manifest.model, "algorithm": method.algorithm.name(), "digest": manifest.digest().to_string(), "files": files,
        }));
    }
    let mut text = String::new();
    for (key, digest) in manifest.digests() {
        let _ = writeln!(text, "{digest}  {}", printable(&key.to_string(), NAME_CHARS));
    }
    let _ = writeln!(text, "{}  all of {}", manifest.digest(), printable(&manifest.model, NAME_CHARS));
    print(&text).map(|()| Exit::Nothing)
}

fn sign(args: &VaultSign) -> Result<Exit, Failure> {
    let VaultSign { model, key, out, hashing } = args;
    let pem = Zeroizing::new(read_file(key, KEY_BYTES_MAX).map_err(unread(key))?);
    let key = FileKey::of_pem(&pem).map_err(|error| Failure::bad_input(format!("`{}`: {error}", key.display())))?;
    let method = method(hashing, signature::within(model, out))?;
    let files = files(model, &method.choice).map_err(failed)?;
    // Begun before the hours of hashing, and after the files were listed, among which it may lie.
    let file = OutputFile::create(out)?;
    let manifest = hashed(model, &files, &method, hashing.threads)?;
    file.write_whole(signature::sign(&manifest, &key).map_err(failed)?.as_bytes())?;
    print(&format!(
        "Signed {} of {} by the key {}.\nWrote {}. Whoever has the public half checks it by `stillwatch vault verify`.\n",
        counted(files.len() as u64, "file"),
        printable(&manifest.model, NAME_CHARS),
        key.public().id(),
        out.display(),
    ))?;
    Ok(Exit::Nothing)
}

fn verify(args: &VaultVerify) -> Result<Exit, Failure> {
    let VaultVerify { model, signature, key, threads, json } = args;
    let pem = read_file(key, KEY_BYTES_MAX).map_err(unread(key))?;
    let public =
        PublicKey::of_pem(&pem).map_err(|error| Failure::bad_input(format!("`{}`: {error}", key.display())))?;
    let text = read_file(signature, SIGNATURE_BYTES_MAX).map_err(unread(signature))?;
    let signed = Signed::read(&text, &public)
        .map_err(|error| Failure::bad_input(format!("`{}`: {error}", signature.display())))?;
    let method = signed.method_with(model, signature);
    let files = files(model, &method.choice).map_err(failed)?;
    let now = hashed(model, &files, &method, *threads)?;
    let differences = signed.manifest().differences(&now);
    if *json {
        let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
        print_json(&json!({
            "model": signed.manifest().model, "key": public.id(), "digest": now.digest().to_string(),
            "files": files.len(), "is_signed": differences.is_empty(), "differences": told,
        }))?;
    }
    if differences.is_empty() {
        if !*json {
            print(&format!(
                "{} is as it was signed by the key {}: {}.\n",
                printable(&model.display().to_string(), NAME_CHARS),
                public.id(),
                counted(files.len() as u64, "file")
            ))?;
        }
        return Ok(Exit::Nothing);
    }
    let count = differences.len() as u64;
    let mut told = format!("`{}` is not what was signed: {}", model.display(), counted(count, "difference"));
    for difference in differences.iter().take(DIFFERENCES_SHOWN) {
        let _ = write!(told, "\n  {}", printable(&difference.to_string(), NAME_CHARS));
    }
    if differences.len() > DIFFERENCES_SHOWN {
        let _ = write!(told, "\n  and {} more; `--json` names all", differences.len() - DIFFERENCES_SHOWN);
    }
    Err(Failure::bad_input(told))
}

fn make_key(out: &Path, locked: &LockedBy) -> Result<Exit, Failure> {
    let public = seal::new_public_of(out)?;
    let holder = Holder::random().map_err(failed)?;
    holder.write(out, &seal::lock(locked)?).map_err(failed)?;
    let text = format!("{}\n", holder.public());
    whole::write_for_all(&public, text.as_bytes()).map_err(|error| Failure::unwritable(&public, &error))?;
    print(&format!(
        "Wrote the key {} to {}, which stays with its holder, and its public half to {}.\n",
        holder.public().id(),
        out.display(),
        public.display()
    ))?;
    Ok(Exit::Nothing)
}

fn lock(args: &VaultLock) -> Result<Exit, Failure> {
    let VaultLock { model, out, holder, needed, hashing, entry } = args;
    if hashing.parts.is_some() {
        return Err(Failure::usage("--parts: files are locked whole, and hashed so"));
    }
    // Told before hours of hashing.
    if out.exists() {
        return Err(Failure::usage(format!("`{}` is there already; name another folder by --out", out.display())));
    }
    let holders = holder.iter().map(|path| public_half(path)).collect::<Result<Vec<HolderKey>, Failure>>()?;
    let method = method(hashing, None)?;
    let files = files(model, &method.choice).map_err(failed)?;
    let manifest = hashed(model, &files, &method, hashing.threads)?;
    let ids: Vec<String> = holders.iter().map(HolderKey::id).collect();
    let detail =
        json!({"digest": manifest.digest().to_string(), "files": files.len(), "holders": ids, "needed": needed});
    put_down(entry, "lock", &manifest.model, detail)?;
    let head = working(&files, |progress| locked::lock(&files, &manifest, &holders, *needed, out, progress))?;
    print(&format!(
        "Locked {} of {} in {}, as {}. To read it takes {} of {}.\nThe model itself still lies in clear in {}.\n",
        counted(files.len() as u64, "file"),
        printable(&manifest.model, NAME_CHARS),
        out.display(),
        head.id,
        needed,
        counted(ids.len() as u64, "holder"),
        model.display(),
    ))?;
    Ok(Exit::Nothing)
}

fn list(args: &VaultLs) -> Result<Exit, Failure> {
    let head = Head::read(&args.folder).map_err(failed)?;
    let holders: Vec<&str> = head.shares.iter().map(|share| share.holder.as_str()).collect();
    if args.json {
        return print_json(&json!({"id": head.id, "model": head.model, "needed": head.needed, "holders": holders}));
    }
    print(&format!(
        "{}  {}\nTo read it takes {} of these: {}\n",
        printable(&head.id, NAME_CHARS),
        printable(&head.model, NAME_CHARS),
        counted(head.needed as u64, "holder"),
        printable(&holders.join(", "), NAME_CHARS)
    ))?;
    Ok(Exit::Nothing)
}

fn release(args: &VaultRelease) -> Result<Exit, Failure> {
    let VaultRelease { folder, key, locked, to, hours, out, entry } = args;
    let head = Head::read(folder).map_err(failed)?;
    let holder = Holder::read(key, &seal::lock(locked)?).map_err(failed)?;
    let to = public_half(to)?;
    let until = Time::from_nanos(seal::now()?.nanos().saturating_add(i64::from(*hours) * HOUR)).to_string();
    let share = head.release(&holder, &to, &until).map_err(failed)?;
    let text = serde_json::to_vec_pretty(&share).map_err(Failure::unreadable)?;
    let file = OutputFile::create(out)?;
    let detail = json!({"holder": holder.public().id(), "to": to.id(), "until": until});
    put_down(entry, "release", &head.id, detail)?;
    file.write_whole(&text)?;
    print(&format!(
        "Wrote the share of {} to {}, for the key {} until {until}.\n",
        holder.public().id(),
        out.display(),
        to.id()
    ))
    .map(|()| Exit::Nothing)
}

fn cat(args: &VaultCat) -> Result<Exit, Failure> {
    let VaultCat { folder, name, from, bytes, opened, entry } = args;
    let name = Name::of(name).ok_or_else(|| Failure::usage(format!("`{name}` is no name of a file within a model")))?;
    let head = Head::read(folder).map_err(failed)?;
    let model = open(folder, &head, opened)?;
    let mut file = model.read(&name).map_err(failed)?;
    let detail = json!({"file": name.to_string(), "from": from, "bytes": bytes});
    put_down(entry, "opening", &head.id, detail)?;
    let unread = |error: io::Error| Failure::bad_input(format!("`{name}` of {}: {error}", folder.display()));
    file.seek(SeekFrom::Start(*from)).map_err(unread)?;
    let mut left = bytes.unwrap_or(u64::MAX);
    let mut buffer = Zeroizing::new(vec![0; CAT_BYTES]);
    let mut output = io::stdout().lock();
    let unwritten = |error: io::Error| Failure::unwritable(Path::new("standard output"), &error);
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(CAT_BYTES).min(CAT_BYTES);
        let read = file.read(buffer.get_mut(..most).unwrap_or_default()).map_err(unread)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        output.write_all(part).map_err(unwritten)?;
        left -= read as u64;
    }
    output.flush().map_err(unwritten)?;
    Ok(Exit::Nothing)
}

/// A locked model, opened by the shares that were released to a key, and by its own.
fn open(folder: &Path, head: &Head, opened: &VaultOpened) -> Result<Locked, Failure> {
    let own = Holder::read(&opened.key, &seal::lock(&opened.locked)?).map_err(failed)?;
    let mut shares = Vec::new();
    if head.shares.iter().any(|share| share.holder == own.public().id()) {
        shares.push(head.share(&own).map_err(failed)?);
    }
    let now = seal::now()?;
    for path in &opened.share {
        let told = |error: VaultError| Failure::bad_input(format!("`{}`: {error}", path.display()));
        let release = Release::of(&read_file(path, KEY_BYTES_MAX).map_err(unread(path))?).map_err(told)?;
        let share = release.share(head, &own).map_err(told)?;
        // Read once it is known that nobody changed it.
        if release.until.parse::<Time>().map_or(true, |until| until <= now) {
            let over = format!("`{}` held until {}; ask its holder for another", path.display(), release.until);
            return Err(Failure::bad_input(over));
        }
        shares.push(share);
    }
    Locked::open(folder, head, &shares).map_err(failed)
}

fn public_half(path: &Path) -> Result<HolderKey, Failure> {
    let text = read_text(path, KEY_BYTES_MAX).map_err(unread(path))?;
    text.parse().map_err(|error: VaultError| Failure::bad_input(format!("`{}`: {error}", path.display())))
}

/// Puts down what is about to be done with a model.
fn put_down(entry: &VaultEntry, kind: &str, model: &str, detail: Value) -> Result<(), Failure> {
    let statement = seal::said(kind, &entry.by, Some(&entry.reason), format!("model:{model}"), detail);
    seal::append(&entry.data, statement).map(drop)
}

/// How hashes are made, as it was typed; `signature` is left out where it lies in the model.
fn method(hashing: &Hashing, signature: Option<Name>) -> Result<Method, Failure> {
    let name = |text: &String| {
        Name::of(text.trim_end_matches('/')).ok_or_else(|| {
            Failure::usage(format!("--leave-out `{text}`: expected a path within the model, such as logs/a.txt"))
        })
    };
    let mut left_out = hashing.leave_out.iter().map(name).collect::<Result<Vec<Name>, _>>()?;
    left_out.extend(signature);
    left_out.extend(of_repositories());
    let algorithm = match hashing.hash {
        HashAlgorithm::Sha256 => Algorithm::Sha256,
        HashAlgorithm::Blake3 => Algorithm::Blake3,
    };
    Ok(Method { algorithm, part_bytes: hashing.parts, choice: Choice { left_out, allow_links: hashing.links } })
}

/// The manifest of files, with progress.
fn hashed(
    model: &Path,
    files: &[ModelFile],
    method: &Method,
    threads: Option<NonZeroUsize>,
) -> Result<Manifest, Failure> {
    let threads = threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    working(files, |progress| Manifest::of_files(model, files, method, threads, progress))
}

/// Does something with all bytes of files, while it is drawn how far it is.
fn working<T>(files: &[ModelFile], work: impl FnOnce(&Progress) -> Result<T, VaultError>) -> Result<T, Failure> {
    let (progress, is_done) = (Progress::default(), AtomicBool::new(false));
    let bar = progress::reading(Some(files.iter().map(|file| file.bytes).sum()));
    let done = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                bar.set_position(progress.bytes());
                thread::park_timeout(STEP_TIME);
            }
        });
        let done = work(&progress);
        is_done.store(true, Ordering::Relaxed);
        done
    });
    bar.finish_and_clear();
    done.map_err(failed)
}

fn unread(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    move |error| Failure::io(format!("`{}` cannot be read", path.display()), error)
}

fn failed(error: VaultError) -> Failure {
    match error {
        VaultError::Io { .. } => Failure::service(error),
        error => Failure::bad_input(error),
    }
}
