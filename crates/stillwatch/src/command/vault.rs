//! `stillwatch vault`: what the weights of a model consist of, signed and checked.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ::vault::files::{Choice, ModelFile, files, of_repositories};
use ::vault::limits::{KEY_BYTES_MAX, SIGNATURE_BYTES_MAX};
use ::vault::{
    Algorithm, FileKey, Manifest, Method, Name, Progress, PublicKey, Signed, Signs as _, VaultError, signature,
};
use report::words::{counted, printable};
use serde_json::{Value, json};
use store::bounded::read_file;
use zeroize::Zeroizing;

use crate::cli::{HashAlgorithm, Hashing, VaultCommand, VaultSign, VaultVerify};
use crate::failure::{Exit, Failure};
use crate::output::{OutputFile, print, print_json};
use crate::progress;

/// Differences that are printed, one a line; how many more there are is told. `--json` has all.
const DIFFERENCES_SHOWN: usize = 50;
/// Characters of a name that is printed.
const NAME_CHARS: usize = 300;
/// How often it is drawn how far hashing is.
const STEP_TIME: Duration = Duration::from_millis(100);

/// Does what was asked.
pub(crate) fn run(command: &VaultCommand) -> Result<Exit, Failure> {
    match command {
        VaultCommand::Hash { model, hashing, json } => hash(model, hashing, *json),
        VaultCommand::Sign(args) => sign(args),
        VaultCommand::Verify(args) => verify(args),
    }
}

fn hash(model: &Path, hashing: &Hashing, json: bool) -> Result<Exit, Failure> {
    let method = method(hashing, None)?;
    let files = files(model, &method.choice).map_err(failed)?;
    let manifest = hashed(model, &files, &method, hashing.threads)?;
    if json {
        let file = |(key, digest): (_, &_)| json!({"name": format!("{key}"), "digest": format!("{digest}")});
        let files: Vec<Value> = manifest.digests().map(|(key, digest)| file((key, digest))).collect();
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
    let (progress, is_done) = (Progress::default(), AtomicBool::new(false));
    let bar = progress::reading(Some(files.iter().map(|file| file.bytes).sum()));
    let manifest = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                bar.set_position(progress.bytes());
                thread::park_timeout(STEP_TIME);
            }
        });
        let manifest = Manifest::of_files(model, files, method, threads, &progress);
        is_done.store(true, Ordering::Relaxed);
        manifest
    });
    bar.finish_and_clear();
    manifest.map_err(failed)
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
